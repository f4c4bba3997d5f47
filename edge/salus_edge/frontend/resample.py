"""`resample`: to up/down of the rate, on the straight line between two samples.

A `filter` before it takes away what the new rate cannot hold. The positions are whole numbers, so nothing drifts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import gcd
from typing import Final

import numpy as np

from salus_edge.errors import TaskError
from salus_edge.frontend.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Chunk, Inlet, Samples, Stage, is_rate, known, number
from salus_edge.task import Parameter

_MOST: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    last: Samples  # (channels,) the sample before the next chunk
    begun: bool


def build(where: str, parameters: Mapping[str, Parameter], inlet: Inlet) -> Stage[_State]:
    """`up`, `down`: output m lies at input m · down / up. Raises TaskError: not whole, from 1 to 1000, coprime."""
    known(where, parameters, ("down", "up"))
    up = int(number(where, parameters, "up", 1, _MOST, whole=True))
    down = int(number(where, parameters, "down", 1, _MOST, whole=True))
    if gcd(up, down) != 1:
        raise TaskError(f"{where}: up and down have a common divisor, {gcd(up, down)}")
    if not is_rate(inlet.rate_hz * up / down):
        raise TaskError(f"{where}: {inlet.rate_hz * up / down:g} Hz come out; {MIN_RATE_HZ} to {MAX_RATE_HZ} may")

    def step(state: _State, chunk: Chunk) -> tuple[_State, Chunk]:
        """The outputs whose right neighbour, or they themselves, have come."""
        if not len(chunk.samples):
            return state, replace(chunk, rate_hz=chunk.rate_hz * up / down)
        low = chunk.index - 1 if state.begun else chunk.index  # number of the first row below
        end = chunk.index + len(chunk.samples) - 1
        first = low * up // down + 1 if state.begun else -(-low * up // down)
        m = np.arange(first, end * up // down + 1)
        position = m * down
        at, rest = position // up, position % up
        rows = np.concatenate([state.last[None], chunk.samples]) if state.begun else chunk.samples
        left = rows[at - low]
        right = rows[np.minimum(at - low + 1, len(rows) - 1)]
        part = (rest / up)[:, None]
        out = np.where(rest[:, None] == 0, left, left + (right - left) * part)
        rate_hz = chunk.rate_hz * up / down
        t0_ms = chunk.t0_ms + (first * down / up - chunk.index) * 1000.0 / chunk.rate_hz
        return _State(chunk.samples[-1], True), replace(chunk, samples=out, t0_ms=t0_ms, rate_hz=rate_hz, index=first)

    return Stage(_State(np.zeros(inlet.channels), False), step, inlet.channels, (up, down))
