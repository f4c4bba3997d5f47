"""Who and when: which people pre-train, and which stretch of a patient's time sets up, keeps the diary, and
tests.

Only by time or session. A window belongs to a part when it lies in it whole, so parts never share a sample.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import NamedTuple

from salus_coordinator.data.form import DataSet, Recording, Span
from salus_coordinator.errors import DataError


@dataclass(frozen=True, slots=True)
class Split:
    """Fractions of time: `setup` is [0, setup), `diary` [setup, diary), `reference` from `test` + the gap to
    the end.
    """

    setup: float = 0.2
    diary: float = 0.6
    test: float = 0.6
    gap_samples: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.setup <= self.diary <= self.test < 1.0 or self.gap_samples < 0:
            raise DataError("bad_split", f"0 < setup <= diary <= test < 1 and gap_samples >= 0, not {self}")


class Range(NamedTuple):
    """Samples [start, end); empty when they are equal."""

    start: int
    end: int


def parts(recording: Recording, split: Split) -> dict[str, Range]:
    """A recording's setup, diary and reference, by time.

    `reference` starts one gap late: no window sees both sides.
    """
    length = len(recording.samples)
    setup, diary, test = (int(length * fraction) for fraction in (split.setup, split.diary, split.test))
    return {
        "setup": Range(0, setup),
        "diary": Range(setup, diary),
        "reference": Range(min(test + split.gap_samples, length), length),
    }


def allot(dataset: DataSet, split: Split) -> tuple[dict[str, Range], ...]:
    """The parts of every recording of a data set, in its order.

    A set of short trials is split by session: of each subject's trials of one label the first 20 % are setup,
    and so on.
    """
    if dataset.split_by == "time":
        return tuple(parts(recording, split) for recording in dataset.recordings)
    order: dict[tuple[str, str], list[int]] = {}
    for index, recording in enumerate(dataset.recordings):
        label = recording.spans[0].label if recording.spans else ""
        order.setdefault((recording.subject, label), []).append(index)
    allotted: list[dict[str, Range]] = [{} for _ in dataset.recordings]
    for indices in order.values():
        for rank, index in enumerate(indices):
            part = _part((rank + 0.5) / len(indices), split)
            whole = Range(0, len(dataset.recordings[index].samples))
            allotted[index] = {name: whole if name == part else Range(0, 0) for name in ("setup", "diary", "reference")}
    return tuple(allotted)


def bouts(dataset: DataSet, labels: frozenset[str]) -> DataSet:
    """Each labelled span as a recording of its own, for sets whose sessions hold many classes one after
    another.

    A bout starts a front end anew, as a window never leaves its bout.
    """
    recordings = tuple(
        replace(
            recording,
            session=f"{recording.session}-{index:03d}",
            samples=recording.samples[span.start : span.end],
            spans=(Span(0, span.end - span.start, span.label),),
        )
        for recording in dataset.recordings
        for index, span in enumerate(recording.spans)
        if span.label in labels
    )
    return replace(dataset, recordings=recordings, split_by="session")


def people(dataset: DataSet, pretrain: int | None = None, seed: int = 0) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(who pre-trains, who is a patient): drawn from the seed, then in the data set's order.

    `pretrain` people pre-train, None is 40 % of them. Raises DataError `too_few_subjects`.
    """
    subjects = dataset.subjects
    pretrain = max(1, round(0.4 * len(subjects))) if pretrain is None else pretrain
    if not 1 <= pretrain < len(subjects):
        raise DataError(
            "too_few_subjects",
            f"{dataset.name} has {len(subjects)} people; pretrain 1 to {len(subjects) - 1}",
        )
    chosen = set(random.Random(seed).sample(subjects, pretrain))  # noqa: S311 -- a split, not a secret
    first = tuple(subject for subject in subjects if subject in chosen)
    return first, tuple(subject for subject in subjects if subject not in chosen)


def _part(position: float, split: Split) -> str:
    if position < split.setup:
        return "setup"
    return "diary" if position < split.diary else "reference" if position >= split.test else ""
