"""`orient`: after donning, gravity of the first stance is turned to a fixed axis, by the smallest rotation.

Nothing comes out before that stance: a model trained on oriented samples would be misled. The orientation outlives
gaps and restarts; putting the wearable on anew ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final

import numpy as np

from salus_edge.errors import TaskError
from salus_edge.frontend.chunk import Chunk, Inlet, Samples, Stage, known, number, numbers, triads
from salus_edge.task import Parameter

_LONGEST: Final = 100_000
_OPPOSITE: Final = -0.9999  # cosine from which on the rotation's axis is no longer well given
Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """The rotation (3, 3) once it is known; before, the run of still samples: how many, sums, bounds."""

    rotation: Samples | None = None
    count: int = 0
    total: Vector = (0.0, 0.0, 0.0)
    low: Vector = (0.0, 0.0, 0.0)
    high: Vector = (0.0, 0.0, 0.0)


def build(where: str, parameters: Mapping[str, Parameter], inlet: Inlet) -> Stage[_State]:
    """`groups`: triads of channels that turn, the first one the accelerometer; `axis`: where gravity goes.

    A stance is `samples` in a row whose accelerations all stay within `still` of each other, axis by axis.
    Raises TaskError.
    """
    known(where, parameters, ("axis", "groups", "samples", "still"))
    groups = triads(where, parameters, "groups", inlet.channels)
    axis = _unit(_vector(numbers(where, parameters, "axis", 3)))
    if axis is None:
        raise TaskError(f"{where}: axis has a direction, not {parameters['axis']!r}")
    length = int(number(where, parameters, "samples", 1, _LONGEST, whole=True))
    still = number(where, parameters, "still", 0.0, 1e9)
    target: Vector = axis

    def step(state: _State, chunk: Chunk) -> tuple[_State, Chunk]:
        used = 0
        if state.rotation is None:
            state, used = _seek(state, chunk.samples[:, groups[0]], length, still, target)
        events = chunk.events
        if state.rotation is None:
            return state, _from(chunk, len(chunk.samples), events)
        if used:
            events = (*events, chunk.t0_ms + used * 1000.0 / chunk.rate_hz)
        out = chunk.samples[used:].copy()
        for group in groups:
            x, y, z = (chunk.samples[used:, each] for each in group)
            for row, channel in enumerate(group):
                a, b, c = state.rotation[row].tolist()
                out[:, channel] = a * x + b * y + c * z
        return state, replace(_from(chunk, used, events), samples=out)

    def renew(state: _State) -> _State:
        return _State(state.rotation)

    return Stage(_State(), step, inlet.channels, renew=renew, don=lambda _: _State())


def _from(chunk: Chunk, first: int, events: tuple[float, ...]) -> Chunk:
    t0_ms = chunk.t0_ms + first * 1000.0 / chunk.rate_hz
    return Chunk(chunk.samples[first:], t0_ms, chunk.rate_hz, events, chunk.index + first)


def _seek(state: _State, samples: Samples, length: int, still: float, axis: Vector) -> tuple[_State, int]:
    """The state after these samples (n, 3), or after the one that ends the stance; and how many were used."""
    count, total, low, high = state.count, state.total, state.low, state.high
    for used, row in enumerate(samples, 1):
        x = _vector(row)
        lower = (min(low[0], x[0]), min(low[1], x[1]), min(low[2], x[2]))
        upper = (max(high[0], x[0]), max(high[1], x[1]), max(high[2], x[2]))
        if count and all(upper[i] - lower[i] <= still for i in range(3)):
            low, high, count = lower, upper, count + 1
            total = (total[0] + x[0], total[1] + x[1], total[2] + x[2])
        else:
            low, high, total, count = x, x, x, 1
        if count == length:
            mean = (total[0] / length, total[1] / length, total[2] / length)
            gravity = _unit(mean)
            if gravity is not None and _norm(mean) > still:
                return _State(_rotation(gravity, axis)), used
            count = 0
    return _State(None, count, total, low, high), len(samples)


def _vector(row: Samples) -> Vector:
    return float(row[0]), float(row[1]), float(row[2])


def _norm(v: Vector) -> float:
    return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])


def _unit(v: Vector) -> Vector | None:
    """None for a vector without a direction."""
    norm = _norm(v)
    return (v[0] / norm, v[1] / norm, v[2] / norm) if norm > 0.0 else None


def _rotation(g: Vector, u: Vector) -> Samples:
    """The smallest rotation of g to u, both of length 1 (Rodrigues): c I + [v]x + v vT / (1 + c), v = g x u."""
    c = g[0] * u[0] + g[1] * u[1] + g[2] * u[2]
    if c < _OPPOSITE:
        return _half_turn(u)
    v0, v1, v2 = g[1] * u[2] - g[2] * u[1], g[2] * u[0] - g[0] * u[2], g[0] * u[1] - g[1] * u[0]
    k = 1.0 / (1.0 + c)
    return np.array(
        [
            [c + k * v0 * v0, k * v0 * v1 - v2, k * v0 * v2 + v1],
            [k * v0 * v1 + v2, c + k * v1 * v1, k * v1 * v2 - v0],
            [k * v0 * v2 - v1, k * v1 * v2 + v0, c + k * v2 * v2],
        ]
    )


def _half_turn(u: Vector) -> Samples:
    """2 p pT − I about a unit vector p across u: gravity lay against the axis, every way round is as short."""
    sizes = [abs(each) for each in u]
    least = sizes.index(min(sizes))
    across = tuple((1.0 if i == least else 0.0) - u[least] * u[i] for i in range(3))
    p = _unit((across[0], across[1], across[2]))
    assert p is not None  # u's smallest part is at most 0.58
    return np.array([[2.0 * p[i] * p[j] - (1.0 if i == j else 0.0) for j in range(3)] for i in range(3)])
