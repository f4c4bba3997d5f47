"""Training one patient's model: a schedule's phases over her labelled rows, in an order that a seed fixes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salus_edge.training.program import TrainingProgram
from salus_edge.training.schedules import Kind, Phase

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Rows:
    """What to train on: features (n, F) or windows (n, samples, channels) float32, and classes int64 (n,)."""

    kind: Kind
    inputs: Floats
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[Any]) -> Rows:
        return Rows(self.kind, self.inputs[indices], self.labels[indices])


@dataclass(frozen=True, slots=True)
class Fitted:
    """Weights float32 (D,) after training, and the mean loss of the last epoch (0.0 without one)."""

    flat: Floats
    loss: float


def fit(
    program: TrainingProgram,
    phases: Sequence[Phase],
    start: Floats,
    anchor: Floats,
    rows: Rows,
    rng: np.random.Generator,
) -> Fitted:
    """Train from `start` toward `anchor`'s neighbourhood (`mu`); momentum starts anew in each phase."""
    program.load(start)
    program.load_anchor(anchor)
    weights, loss = np.ones(len(rows), np.float32), 0.0
    step = program.train_features if rows.kind == "feature" else program.train
    for phase in phases:
        program.reset()
        for _ in range(phase.epochs):
            order = rng.permutation(len(rows))
            loss = step(rows.inputs[order], rows.labels[order], weights, phase.rates)
    return Fitted(program.dump(), loss)


def accuracy(program: TrainingProgram, flat: Floats, rows: Rows) -> float:
    """Share of `rows` that the weights get right, 0 to 1; 0.0 without rows."""
    if not len(rows):
        return 0.0
    return float((logits(program, flat, rows).argmax(axis=1) == rows.labels).mean())


def logits(program: TrainingProgram, flat: Floats, rows: Rows) -> Floats:
    """Logits (n, K) of `rows` under these weights."""
    program.load(flat)
    return program.predict_features(rows.inputs) if rows.kind == "feature" else program.predict(rows.inputs)
