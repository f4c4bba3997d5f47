"""Cutting the front end's output into windows, `hop` samples apart; and when a time gap starts anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_edge.frontend.chunk import Chunk, Cutter, Frames, Inlet
from salus_edge.task import Window

GAP_PERIODS: Final = 1.5  # between two samples; less than half of one is a gap too: time went back


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """`pending` (n, channels) are samples still needed, from number `index` since the stretch began.

    Counting from there, a window's time does not depend on the chunks.
    """

    pending: NDArray[np.float32]
    index: int


def gap(expected_ms: float, chunk: Chunk) -> bool:
    """Whether the chunk does not go on where the one before ended, its next sample due at `expected_ms`."""
    period_ms = 1000.0 / chunk.rate_hz
    return abs(chunk.t0_ms - expected_ms) > (GAP_PERIODS - 1.0) * period_ms


def follow(began_ms: float, count: int, chunk: Chunk) -> float:
    """When the stretch began, by the chunk's clock where `count` samples drifted half a period from it."""
    period_ms = 1000.0 / chunk.rate_hz
    if abs(chunk.t0_ms - began_ms - count * period_ms) <= period_ms / 2:
        return began_ms
    return chunk.t0_ms - count * period_ms


def build(inlet: Inlet, window: Window) -> Cutter[_State]:
    """Windows of `samples`, the first from the stretch's first sample on, then one every `hop`."""
    samples, hop = window.samples, window.hop

    def step(state: _State, chunk: Chunk) -> tuple[_State, Frames]:
        index = state.index if len(state.pending) else chunk.index
        ready = np.concatenate([state.pending, chunk.samples.astype(np.float32)])
        count = max(0, (len(ready) - samples) // hop + 1)
        values = np.zeros((0, samples, inlet.channels), np.float32)
        if count:
            views = np.lib.stride_tricks.sliding_window_view(ready, samples, axis=0)[: count * hop : hop]
            values = np.ascontiguousarray(views.transpose(0, 2, 1))
        numbers = index + hop * np.arange(count, dtype=np.int64)
        frames = Frames(numbers, values, np.zeros((count, 0), np.int16))
        return _State(ready[count * hop :], index + count * hop), frames

    return Cutter(_State(np.zeros((0, inlet.channels), np.float32), 0), step, inlet.channels, samples)
