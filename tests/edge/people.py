"""Synthetic people: windows of three classes, each person with a twist of her own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLASSES = ("rest", "slow", "fast")
SAMPLES = 32
HERTZ = (0.0, 1.0, 3.0)
RATE_HZ = 20.0


def make_windows(labels: NDArray[np.integer], rng: np.random.Generator, twist: float = 0.0) -> NDArray[np.float32]:
    """Windows (n, 32, 2) of these classes; `twist` turns the two channels by that angle."""
    time_s = np.arange(SAMPLES) / RATE_HZ
    turn = np.array([[np.cos(twist), -np.sin(twist)], [np.sin(twist), np.cos(twist)]])
    rows = []
    for label in labels:
        phase = rng.uniform(0, 2 * np.pi)
        wave = np.sin(2 * np.pi * HERTZ[label] * time_s + phase) * (label > 0)
        pair = np.stack([wave, 0.5 * wave], axis=1) + rng.normal(0, 0.1, (SAMPLES, 2))
        rows.append(pair @ turn)
    return np.array(rows, np.float32)
