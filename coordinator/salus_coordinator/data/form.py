"""The one common form of every data set: recordings with subject, session, channels, rate, samples and
labelled spans.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from salus_coordinator.errors import DataError

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Span:
    """Samples [start, end) of a recording carry `label`."""

    start: int
    end: int
    label: str


@dataclass(frozen=True)
class Recording:
    """One uninterrupted recording of one subject; `samples` (n, channels) in the set's physical units."""

    subject: str
    session: str
    channels: tuple[str, ...]
    rate_hz: float
    samples: Samples
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class DataSet:
    """All recordings of a data set, ordered by subject and time.

    `split_by` says how train and test part: long recordings by `time`, short trials by `session`.
    """

    name: str
    title: str
    licence: str
    recordings: tuple[Recording, ...]
    split_by: Literal["time", "session"] = "time"

    @property
    def subjects(self) -> tuple[str, ...]:
        """Who is in it, in order of first appearance."""
        return tuple(dict.fromkeys(recording.subject for recording in self.recordings))


def check(dataset: DataSet, channels: tuple[str, ...] = ()) -> DataSet:
    """The data set itself, when it can be used. `channels` are those that must be there.

    Raises DataError: `empty`, `missing_channels`, `wrong_shape`, `not_finite`, `bad_span`, `one_subject`.
    """
    if not dataset.recordings:
        raise DataError("empty", f"{dataset.name} has no recording")
    for index, recording in enumerate(dataset.recordings):
        _check_recording(
            f"{dataset.name}, recording {index} ({recording.subject}/{recording.session})",
            recording,
            channels,
        )
    if len(dataset.subjects) < 2:
        only = dataset.subjects[0]
        raise DataError("one_subject", f"{dataset.name} has only subject {only}; a federation needs two or more")
    return dataset


def _check_recording(where: str, recording: Recording, channels: tuple[str, ...]) -> None:
    missing = [channel for channel in channels if channel not in recording.channels]
    if missing:
        raise DataError(
            "missing_channels", f"{where} lacks {', '.join(missing)}; it has {', '.join(recording.channels)}"
        )
    if recording.samples.ndim != 2 or recording.samples.shape[1] != len(recording.channels) or recording.rate_hz <= 0:
        shape, named = recording.samples.shape, len(recording.channels)
        raise DataError("wrong_shape", f"{where}: {shape} samples, {named} channels at {recording.rate_hz} Hz")
    bad = ~np.isfinite(recording.samples)
    if bad.any():
        row, column = (int(each[0]) for each in np.nonzero(bad))
        raise DataError(
            "not_finite",
            f"{where}: {recording.channels[column]} is not finite at sample {row}; repair the file",
        )
    for span in recording.spans:
        if not 0 <= span.start < span.end <= len(recording.samples):
            raise DataError(
                "bad_span",
                f"{where}: span [{span.start}, {span.end}) {span.label!r} of {len(recording.samples)}",
            )


def runs(codes: NDArray[np.integer], names: dict[int, str]) -> tuple[Span, ...]:
    """Spans of equal codes (n,), for the codes that have a name."""
    edges = np.flatnonzero(np.diff(codes)) + 1
    starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(codes)]])
    return tuple(
        Span(int(start), int(end), names[int(codes[start])])
        for start, end in zip(starts, ends, strict=True)
        if int(codes[start]) in names
    )
