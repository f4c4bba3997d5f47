"""A patient's own model: the settled shared variables with her own in their place, once labels show that
these are better.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_chain.layout import Group, Layout
from salus_edge.store.models import Personal
from salus_edge.training.fit import Rows, accuracy, fit
from salus_edge.training.program import TrainingProgram
from salus_edge.training.schedules import Parameters, phase

Floats = NDArray[np.float32]
MIN_ROWS: Final = 20  # labelled rows before a personal head is tried at all
HELD_OUT: Final = 0.2  # of each class's rows, its last ones in time


def split(groups: str) -> tuple[Group, ...]:
    """`Personal.groups` as a tuple."""
    return tuple(groups.split(",")) if groups else ()  # type: ignore[arg-type]


def compose(layout: Layout, shared: Floats, personal: Personal | None) -> Floats:
    """The shared weights (D,) with the patient's own variables in their place."""
    if personal is None:
        return shared
    indices = layout.indices(layout.names(split(personal.groups)))
    flat = shared.copy()
    flat[indices] = personal.values
    return flat


def extract(layout: Layout, flat: Floats, groups: tuple[Group, ...]) -> Floats:
    """The variables of `groups` out of all weights (D,)."""
    return np.asarray(flat[layout.indices(layout.names(groups))], np.float32)


def hold_out(labels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices to train on and to validate on: the last fifth of each class, in time."""
    kept, held = [], []
    for label in np.unique(labels):
        indices = np.flatnonzero(labels == label)
        cut = len(indices) - int(len(indices) * HELD_OUT)
        kept.append(indices[:cut])
        held.append(indices[cut:])
    empty = [np.empty(0, np.int64)]
    return np.sort(np.concatenate(kept or empty)), np.sort(np.concatenate(held or empty))


def refit(
    program: TrainingProgram,
    groups: tuple[Group, ...],
    parameters: Parameters,
    shared: Floats,
    prior: Personal | None,
    rows: Rows,
    round: int,
    rng: np.random.Generator,
) -> Personal | None:
    """The patient's own copy of `groups` on top of new shared variables; None without groups or enough labels.

    It is valid when the same training on the first four fifths of each class is at least as good as the
    shared model on the last fifth. `prior` is where the training starts: what the rounds left her, if anything.
    """
    if not groups or len(rows) < MIN_ROWS:
        return None
    layout = program.layout
    epochs = parameters.personal_epochs or parameters.shared_epochs
    phases = (phase(parameters, epochs, shared="trunk" in groups),)
    kept, held = hold_out(rows.labels)
    tried = fit(program, phases, shared, shared, rows.take(kept), rng)
    unseen = rows.take(held)
    valid = len(held) > 0 and accuracy(program, tried.flat, unseen) >= accuracy(program, shared, unseen)
    start = compose(layout, shared, prior)
    fitted = fit(program, phases, start, shared, rows, rng)
    return Personal(",".join(groups), extract(layout, fitted.flat, groups), valid, round, len(rows))
