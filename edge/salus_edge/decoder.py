"""The decoder `confirm`, after the head: the mean of the last k windows' probabilities decides. Pure and
causal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class State:
    """Probabilities (K,) of the last windows, oldest first, and when the last one started."""

    recent: tuple[Floats, ...] = ()
    last_ms: int = -1


@dataclass(frozen=True, slots=True)
class Decision:
    """The class, and its mean probability from 0 to 1."""

    label: int
    probability: float


def softmax(logits: Floats) -> Floats:
    """Probabilities over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def step(state: State, logits: Floats, start_ms: int, gap_ms: int, k: int = 1) -> tuple[State, Decision]:
    """One window's logits (K,). After a gap of more than `gap_ms`, or a step back in time, the memory
    starts anew.
    """
    follows = 0 <= start_ms - state.last_ms <= gap_ms and state.last_ms >= 0
    recent = ((*state.recent, softmax(logits)) if follows else (softmax(logits),))[-k:]
    mean = np.mean(recent, axis=0)
    label = int(mean.argmax())
    return State(recent, start_ms), Decision(label, float(mean[label]))
