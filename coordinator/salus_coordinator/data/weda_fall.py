"""WEDA-FALL: 25 people, falls and daily activities, wrist acceleration (m/s2) and gyroscope (rad/s), 50 Hz.

Marques and Moreno, "Online fall detection using wrist devices", Sensors 23(3), 2023, and the authors'
repository. The watch delivers samples in bursts, so the importer spreads them evenly over the trial before it
resamples to 50 Hz.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_coordinator.data.form import DataSet, Recording, Span
from salus_coordinator.data.npz import arrays, scaled
from salus_coordinator.errors import DataError

TITLE: Final = "WEDA-FALL: 25 people, falls and daily activities, wrist acc + gyro"
LICENCE: Final = "none stated: evaluation only, never redistributed"
CHANNELS: Final = ("ax", "ay", "az", "wx", "wy", "wz")
RATE_HZ: Final = 50.0
FILE: Final = "weda_fall/weda_fall_50hz.npz"


def read(root: Path) -> DataSet:
    """The prepared set. A trial is one recording; a fall is labelled where the authors marked it."""
    got = arrays(root / FILE, ("X", "offsets", "subject", "activity", "trial", "fall_window_s", "scale"))
    offsets = got["offsets"].astype(np.int64)
    samples = scaled(got["X"], got["scale"])
    recordings = []
    for index in range(len(offsets) - 1):
        cut = samples[offsets[index] : offsets[index + 1]]
        fall = got["fall_window_s"][index].astype(np.float64)
        subject, activity = int(got["subject"][index]), str(got["activity"][index])
        recordings.append(
            _recording(subject, activity, int(got["trial"][index]), cut, (float(fall[0]), float(fall[1])))
        )
    return _dataset(recordings)


def import_files(source: Path) -> DataSet:
    """The authors' `dataset` folder (`50Hz/F01/U01_R01_accel.csv` …, `fall_timestamps.csv`).

    Raises DataError `absent`, `missing_channels` or `unreadable`, naming the file.
    """
    falls = _fall_windows(source / "fall_timestamps.csv")
    files = sorted(source.glob("50Hz/[DF]??/U??_R??_accel.csv"))
    if not files:
        raise DataError("absent", f"{source} holds no 50Hz/F01/U01_R01_accel.csv; give the authors' `dataset` folder")
    recordings = []
    for file in files:
        subject, trial = (int(number) for number in re.findall(r"\d+", file.name)[:2])
        key = f"{file.parent.name}/{file.name.removesuffix('_accel.csv')}"
        acc, gyro = _table(file, "accel"), _table(file.with_name(file.name.replace("accel", "gyro")), "gyro")
        samples = np.concatenate(_common_time(acc, gyro), axis=1).astype(np.float32)
        recordings.append(_recording(subject, file.parent.name, trial, samples, falls.get(key, (np.nan, np.nan))))
    return _dataset(recordings)


def _recording(
    subject: int, activity: str, trial: int, samples: NDArray[np.float32], fall_s: tuple[float, float]
) -> Recording:
    spans: tuple[Span, ...] = (Span(0, len(samples), "adl"),)
    if activity.startswith("F"):
        start, end = (max(0, min(len(samples), round(at * RATE_HZ))) if at == at else 0 for at in fall_s)
        spans = (Span(start, end, "fall"),) if end > start else ()
    return Recording(f"u{subject:02d}", f"{activity}-{trial:02d}", CHANNELS, RATE_HZ, samples, spans)


def _dataset(recordings: list[Recording]) -> DataSet:
    ordered = tuple(sorted(recordings, key=lambda recording: (recording.subject, recording.session)))
    return DataSet("weda_fall", TITLE, LICENCE, ordered, "session")


def _fall_windows(path: Path) -> dict[str, tuple[float, float]]:
    if not path.is_file():
        raise DataError("absent", f"{path} is not there; it marks when each fall happens")
    with path.open(newline="", encoding="utf-8-sig") as file:
        return {row["filename"]: (float(row["start_time"]), float(row["end_time"])) for row in csv.DictReader(file)}


def _table(path: Path, sensor: str) -> NDArray[np.float64]:
    """Columns time (s), x, y, z of one file."""
    columns = [f"{sensor}_{name}_list" for name in ("time", "x", "y", "z")]
    if not path.is_file():
        raise DataError("missing_channels", f"{path} is not there: the trial lacks its {sensor} channels")
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        missing = [name for name in columns if name not in (rows.fieldnames or [])]
        if missing:
            raise DataError("missing_channels", f"{path} lacks {', '.join(missing)}")
        try:
            table = np.array([[float(row[name]) for name in columns] for row in rows])
        except (TypeError, ValueError) as error:
            raise DataError("unreadable", f"{path}: {error}") from None
    if len(table) < 2:
        raise DataError("unreadable", f"{path} has {len(table)} samples")
    return table


def _common_time(*tables: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Each sensor's x, y, z (n, 3) at 50 Hz over the time both cover."""
    start, end = max(table[0, 0] for table in tables), min(table[-1, 0] for table in tables)
    times = np.arange(start, end, 1.0 / RATE_HZ)
    even = [np.linspace(table[0, 0], table[-1, 0], len(table)) for table in tables]
    return [
        np.stack([np.interp(times, at, table[:, axis]) for axis in (1, 2, 3)], axis=1)
        for at, table in zip(even, tables, strict=True)
    ]
