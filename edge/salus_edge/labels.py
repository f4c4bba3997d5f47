"""Joining windows with labels, pure: a window takes the label that covers enough of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_edge.errors import Refused
from salus_edge.link.messages import Label

REFERENCE: Final = "reference"  # scores, and never trains
SOURCES: Final = ("setup", "diary", "clinician", REFERENCE)
NONE: Final = -1  # the class of a window without a label


@dataclass(frozen=True, slots=True)
class Interval:
    """[start_ms, end_ms) carries a class of the task, and who said so."""

    start_ms: int
    end_ms: int
    label: str
    source: str


def check_label(label: Label, classes: Sequence[str]) -> None:
    """Raises Refused: `unknown_class`, `unknown_source`, `bad_interval`."""
    if label.label not in classes:
        raise Refused("unknown_class", f"label {label.id}: {label.label!r} is none of {', '.join(classes)}")
    if label.source not in SOURCES:
        raise Refused("unknown_source", f"label {label.id}: source {label.source!r} is none of {', '.join(SOURCES)}")
    if not 0 <= label.start_ms < label.end_ms:
        raise Refused("bad_interval", f"label {label.id}: [{label.start_ms}, {label.end_ms}) is empty")


def check_training_sources(sources: Collection[str]) -> None:
    """Raises Refused `reference_never_trains`, `unknown_source`."""
    if REFERENCE in sources:
        raise Refused(
            "reference_never_trains", "labels of source `reference` only score; take it from the arm's labels"
        )
    for source in sources:
        if source not in SOURCES:
            raise Refused("unknown_source", f"label source {source!r} is none of {', '.join(SOURCES)}")


def join(
    start_ms: NDArray[np.int64],
    end_ms: NDArray[np.int64],
    labels: Sequence[Interval],
    classes: Sequence[str],
    sources: Collection[str],
    coverage: float,
) -> NDArray[np.int64]:
    """The class of each window [start_ms, end_ms) (n,), `NONE` where no label covers enough of it.

    `labels` come in the order of arrival: where two cover one window, the later is taken. Only `sources`
    count.
    """
    found = np.full(len(start_ms), NONE, np.int64)
    needed = coverage * (end_ms - start_ms)
    for label in labels:
        if label.source in sources and label.label in classes:
            covered = np.minimum(end_ms, label.end_ms) - np.maximum(start_ms, label.start_ms)
            found[(covered >= needed) & (covered > 0)] = classes.index(label.label)
    return found
