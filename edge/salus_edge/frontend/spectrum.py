"""`spectrum`: each channel of a window becomes its power on a logarithmic frequency axis, where another heart rate
is a shift.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_edge.errors import TaskError
from salus_edge.frontend.chunk import Inlet, Reshape, known, number
from salus_edge.frontend.exact import LN2, PI, cosine, exponential, logarithm
from salus_edge.task import Parameter

Floats = NDArray[np.float32]
_MOST_BINS: Final = 512


def build(where: str, parameters: Mapping[str, Parameter], inlet: Inlet) -> Reshape:
    """`bins` frequencies from `low_hz` up, `per_octave` of them an octave: ln(power / largest power + floor).

    Goertzel's recurrence in single precision. Raises TaskError, also when the last bin is not below half the rate.
    """
    known(where, parameters, ("bins", "floor", "low_hz", "per_octave"))
    bins = int(number(where, parameters, "bins", 1, _MOST_BINS, whole=True))
    floor = number(where, parameters, "floor", 1e-6, 1.0)
    per_octave = number(where, parameters, "per_octave", 1.0, 1000.0)
    frequencies = [number(where, parameters, "low_hz", 1e-3, 1e4)]
    for _ in range(bins - 1):
        frequencies.append(frequencies[-1] * exponential(LN2 / per_octave))
    if not frequencies[-1] < inlet.rate_hz / 2.0:
        raise TaskError(f"{where}: the last bin is at {frequencies[-1]:g} Hz, half the rate {inlet.rate_hz / 2.0:g} Hz")
    turn = np.array([2.0 * cosine(2.0 * PI * each / inlet.rate_hz) for each in frequencies], np.float32)[:, None]

    def apply(windows: Floats) -> Floats:
        power = _power(windows, turn)
        largest = power.max(axis=1, keepdims=True)
        share = np.where(largest > 0.0, power / np.where(largest > 0.0, largest, np.float32(1.0)), np.float32(0.0))
        return logarithm(share.astype(np.float64) + floor).astype(np.float32)

    return Reshape(apply, bins, inlet.channels)


def _power(windows: Floats, turn: Floats) -> Floats:
    """(n, bins, channels), not below 0; `turn` is 2 cos ω per bin (Goertzel, Amer. Math. Monthly 65, 1958)."""
    one = np.zeros((len(windows), len(turn), windows.shape[2]), np.float32)
    two = one
    for row in range(windows.shape[1]):
        one, two = (windows[:, row, None, :] + turn * one) - two, one
    return np.asarray(np.maximum((one * one + two * two) - (turn * one) * two, np.float32(0.0)))
