"""What is replayed and when: a person's recordings, cut into pieces on one clock that only goes forward. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_coordinator.data import DataSet, Range, Recording, Split, allot
from salus_coordinator.data.windows import channels
from salus_edge.errors import ConfigError
from salus_edge.link.messages import Label
from salus_edge.task import Task
from salus_hil.virtual.config import Phase

PAUSE_MS: Final = 10_000  # between two pieces: the front end starts anew


@dataclass(frozen=True, eq=False)
class Piece:
    """An uninterrupted stretch: `samples` float32 (n, channels) from `t0_ms` on, and the labels of its parts."""

    t0_ms: int
    samples: NDArray[np.float32]
    labels: tuple[Label, ...]


def schedule(
    task: Task, dataset: DataSet, subject: str, phases: list[Phase], start_ms: int, split: Split
) -> tuple[tuple[Piece, ...], ...]:
    """The pieces of each phase. Parts of a phase that touch are one piece.

    A label is a labelled span inside one part; its source is the part's name. Spans of other classes are left out.
    Raises ConfigError when the data set has no such subject.
    """
    if subject not in dataset.subjects:
        known = ", ".join(dataset.subjects)
        raise ConfigError(f"replay.subject: {dataset.name} has no {subject!r}; it has {known}")
    allotted = allot(dataset, split)
    clock_ms, plan = start_ms, []
    for number, phase in enumerate(phases):
        pieces = []
        for index, recording in enumerate(dataset.recordings):
            if recording.subject != subject:
                continue
            parts = {part: allotted[index].get(part, Range(0, 0)) for part in phase.parts}
            for within in _touching(parts):
                piece = _piece(task, recording, within, clock_ms, f"{number}-{index}")
                pieces.append(piece)
                clock_ms += round(len(piece.samples) * 1000.0 / task.rate_hz) + PAUSE_MS
        plan.append(tuple(pieces))
    return tuple(plan)


def _touching(parts: dict[str, Range]) -> list[dict[str, Range]]:
    """The parts that are not empty, in order, those that touch together."""
    groups: list[dict[str, Range]] = []
    end = -1
    for name, part in sorted(parts.items(), key=lambda item: item[1]):
        if part.start == part.end:
            continue
        if part.start == end:
            groups[-1][name] = part
        else:
            groups.append({name: part})
        end = part.end
    return groups


def _piece(task: Task, recording: Recording, parts: dict[str, Range], t0_ms: int, name: str) -> Piece:
    start, end = min(part.start for part in parts.values()), max(part.end for part in parts.values())

    def at_ms(sample: int) -> int:
        return t0_ms + round((sample - start) * 1000.0 / task.rate_hz)

    labels = [
        Label(
            id=f"{name}-{source}-{number}",
            start_ms=at_ms(max(span.start, part.start)),
            end_ms=at_ms(min(span.end, part.end)),
            label=span.label,
            source=source,
            task=task.name,
        )
        for source, part in parts.items()
        for number, span in enumerate(recording.spans)
        if span.label in task.classes and max(span.start, part.start) < min(span.end, part.end)
    ]
    return Piece(t0_ms, channels(task, recording)[start:end], tuple(labels))
