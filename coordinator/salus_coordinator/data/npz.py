"""Reading .npz files safely, and the common form as one file that `salus data import` writes."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from salus_coordinator.data.form import DataSet, Recording, Span
from salus_coordinator.errors import DataError

Arrays = dict[str, NDArray[np.generic]]
COMMON = (
    "samples", "offsets", "channels", "rate_hz", "subject", "session", "title", "licence", "split_by",
    "span_recording", "span_start", "span_end", "span_label",
)  # fmt: skip


def arrays(path: Path, names: tuple[str, ...]) -> Arrays:
    """These arrays of the file. Raises DataError `absent`, `unreadable` or `missing_arrays`."""
    if not path.is_file():
        raise DataError("absent", f"{path} is not there; `salus data list` shows what is and how to get the others")
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file.files]
            if missing:
                raise DataError("missing_arrays", f"{path} lacks {', '.join(missing)}; import it again")
            return {name: file[name] for name in names}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError("unreadable", f"{path} is not a readable npz file: {error}") from None


def scaled(counts: NDArray[np.generic], scale: NDArray[np.generic]) -> NDArray[np.float32]:
    """Integer counts (n, channels) times the unit of each channel."""
    return np.multiply(counts.astype(np.float32), scale.astype(np.float32), dtype=np.float32)


def save(dataset: DataSet, path: Path) -> None:
    """Write the common form, whole or not at all."""
    recordings = dataset.recordings
    spans = [(index, span) for index, recording in enumerate(recordings) for span in recording.spans]
    contents: Arrays = {
        "samples": np.concatenate([recording.samples for recording in recordings]),
        "offsets": np.cumsum([0, *(len(recording.samples) for recording in recordings)]).astype(np.int64),
        "channels": np.array(recordings[0].channels),
        "rate_hz": np.array(recordings[0].rate_hz),
        "subject": np.array([recording.subject for recording in recordings]),
        "session": np.array([recording.session for recording in recordings]),
        "title": np.array(dataset.title),
        "licence": np.array(dataset.licence),
        "split_by": np.array(dataset.split_by),
        "span_recording": np.array([index for index, _ in spans], np.int64),
        "span_start": np.array([span.start for _, span in spans], np.int64),
        "span_end": np.array([span.end for _, span in spans], np.int64),
        "span_label": np.array([span.label for _, span in spans], np.str_),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".npz", delete=False) as file:
        np.savez_compressed(file, allow_pickle=False, **contents)
    Path(file.name).replace(path)


def restore(path: Path, name: str) -> DataSet:
    """Read what `save` wrote. Raises DataError as `arrays`."""
    got = arrays(path, COMMON)
    offsets, channels = got["offsets"].astype(np.int64), tuple(str(each) for each in got["channels"])
    spans: dict[int, list[Span]] = {}
    rows = zip(got["span_recording"], got["span_start"], got["span_end"], got["span_label"], strict=True)
    for recording, start, end, label in rows:
        spans.setdefault(int(recording), []).append(Span(int(start), int(end), str(label)))
    recordings = tuple(
        Recording(
            subject=str(got["subject"][index]),
            session=str(got["session"][index]),
            channels=channels,
            rate_hz=float(str(got["rate_hz"])),
            samples=got["samples"][offsets[index] : offsets[index + 1]].astype(np.float32),
            spans=tuple(spans.get(index, ())),
        )
        for index in range(len(offsets) - 1)
    )
    by_session = str(got["split_by"]) == "session"
    return DataSet(name, str(got["title"]), str(got["licence"]), recordings, "session" if by_session else "time")
