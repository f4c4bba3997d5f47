"""Cutting the front end's output into windows, `hop` samples apart; a time gap starts anew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_edge.frontend.chunk import Chunk, Samples

GAP_PERIODS: Final = 1.5  # between two samples; less than half of one is a gap too: time went back


@dataclass(frozen=True, slots=True, eq=False)
class Cutting:
    """`pending` (n, channels) are samples still needed, from number `index` since the start at `t0_ms`.

    `index` counts from the stretch's start, so that a window's time does not depend on the chunks.
    """

    pending: Samples
    index: int
    t0_ms: float


def gap(expected_ms: float, chunk: Chunk) -> bool:
    """Whether the chunk does not go on where the one before ended, its next sample due at `expected_ms`."""
    period_ms = 1000.0 / chunk.rate_hz
    return abs(chunk.t0_ms - expected_ms) > (GAP_PERIODS - 1.0) * period_ms


def follow(state: Cutting, count: int, chunk: Chunk) -> Cutting:
    """The state with its clock set to the chunk's, when `count` samples drifted half a period from it."""
    period_ms = 1000.0 / chunk.rate_hz
    if abs(chunk.t0_ms - state.t0_ms - count * period_ms) <= period_ms / 2:
        return state
    return replace(state, t0_ms=chunk.t0_ms - count * period_ms)


def begin(chunk: Chunk, channels: int) -> Cutting:
    """The state before the first sample of a stretch."""
    return Cutting(np.zeros((0, channels)), 0, chunk.t0_ms)


def step(
    state: Cutting, chunk: Chunk, samples: int, hop: int
) -> tuple[Cutting, NDArray[np.int64], NDArray[np.float32]]:
    """The windows that are complete now: start_ms int64 (n,), float32 (n, samples, channels)."""
    ready = np.concatenate([state.pending, chunk.samples])
    count = max(0, (len(ready) - samples) // hop + 1)
    channels = ready.shape[1]
    if count:
        views = np.lib.stride_tricks.sliding_window_view(ready, samples, axis=0)[: count * hop : hop]
        windows = np.ascontiguousarray(views.transpose(0, 2, 1), np.float32)
    else:
        windows = np.zeros((0, samples, channels), np.float32)
    numbers = state.index + hop * np.arange(count)
    start_ms = np.rint(state.t0_ms + numbers * 1000.0 / chunk.rate_hz).astype(np.int64)
    return Cutting(ready[count * hop :], state.index + count * hop, state.t0_ms), start_ms, windows
