"""Labelled windows of recordings, cut by the very front end that runs on the wearable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from salus_coordinator.data.form import DataSet, Recording
from salus_coordinator.data.split import Range
from salus_coordinator.errors import DataError
from salus_edge.frontend.pipeline import cut
from salus_edge.task import Task

RATE_TOLERANCE: Final = 0.01


@dataclass(frozen=True)
class Labelled:
    """`windows` float32 (n, samples, channels), `labels` int64 (n,) as class numbers, `subjects` (n,) as
    names.
    """

    windows: NDArray[np.float32]
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]


def channels(task: Task, recording: Recording) -> NDArray[np.float32]:
    """The task's channels (n, channels), by name. Raises DataError `missing_channels` or `wrong_rate`."""
    where = f"recording {recording.subject}/{recording.session}"
    missing = [name for name in task.channels if name not in recording.channels]
    if missing:
        have = ", ".join(recording.channels)
        raise DataError("missing_channels", f"{where} lacks {', '.join(missing)} of task {task.name}; it has {have}")
    if abs(recording.rate_hz / task.rate_hz - 1.0) > RATE_TOLERANCE:
        raise DataError("wrong_rate", f"{where} has {recording.rate_hz:g} Hz, task {task.name} {task.rate_hz:g} Hz")
    return recording.samples[:, [recording.channels.index(name) for name in task.channels]]


def label_at(task: Task, recording: Recording, start: int, end: int) -> int | None:
    """The class that covers at least the task's `label_coverage` of samples [start, end), if one does."""
    covered: dict[str, int] = {}
    for span in recording.spans:
        overlap = min(end, span.end) - max(start, span.start)
        if overlap > 0 and span.label in task.classes:
            covered[span.label] = covered.get(span.label, 0) + overlap
    best = max(covered, key=lambda label: covered[label], default=None)
    if best is None or covered[best] < task.label_coverage * (end - start):
        return None
    return task.classes.index(best)


def labelled(
    task: Task, pairs: Iterable[tuple[Recording, Range | None]], hop: int | None = None, margin: int = 0
) -> Labelled:
    """Windows that lie whole in their range (None: the whole recording) and have a label.

    `hop` replaces the task's; each window is `margin` samples longer than the task's, for augmentation.
    """
    shape = msgspec.structs.replace(task.window, samples=task.window.samples + margin, hop=hop or task.window.hop)
    wide = msgspec.structs.replace(task, window=shape)
    windows, labels, subjects = [], [], []
    for recording, part in pairs:
        inside = part or Range(0, len(recording.samples))
        if inside.end - inside.start < shape.samples:
            continue
        found = cut(wide, channels(task, recording), 0)
        for at_ms, window in zip(found.start_ms, found.windows, strict=True):
            start = round(float(at_ms) * task.rate_hz / 1000.0)
            end = start + shape.samples
            label = label_at(task, recording, start, end) if inside.start <= start and end <= inside.end else None
            if label is not None:
                windows.append(window)
                labels.append(label)
                subjects.append(recording.subject)
    if not windows:
        raise DataError("no_windows", f"no window of {shape.samples} samples carries a label of task {task.name}")
    return Labelled(np.stack(windows), np.array(labels, np.int64), np.array(subjects))


def of_people(dataset: DataSet, people: Iterable[str]) -> list[tuple[Recording, Range | None]]:
    """All recordings of these people, whole."""
    wanted = set(people)
    return [(recording, None) for recording in dataset.recordings if recording.subject in wanted]
