"""Elementary functions out of IEEE additions, multiplications and divisions alone.

A wearable's C library and numpy's differ in the last bit of a logarithm; these give the same bits on both sides
(`firmware/lib/frontend/exact.h`). Floats or float64 arrays; each within a few units in the last place.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

LN2: Final = 0.6931471805599453
PI: Final = 3.141592653589793
_HALF_ROOT: Final = 0.7071067811865476
_LOG_TERMS: Final = 11
_EXP_TERMS: Final = 20
_COS_TERMS: Final = 9


def logarithm(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """ln x of positive, normal numbers: 2 artanh((m − 1) / (m + 1)) of the mantissa m, near 1, by its series."""
    mantissa, exponent = np.frexp(x)
    low = mantissa < _HALF_ROOT
    mantissa = np.where(low, mantissa * 2.0, mantissa)
    exponent = exponent - low
    t = (mantissa - 1.0) / (mantissa + 1.0)
    square = t * t
    total = np.full_like(t, 1.0 / (2 * _LOG_TERMS - 1))
    for term in range(_LOG_TERMS - 2, -1, -1):
        total = total * square + 1.0 / (2 * term + 1)
    return np.asarray(exponent * LN2 + 2.0 * t * total)


def exponential(x: float) -> float:
    """e^x for 0 ≤ x ≤ 1, by its series."""
    total = 1.0
    for term in range(_EXP_TERMS, 0, -1):
        total = 1.0 + total * x / term
    return total


def cosine(x: float) -> float:
    """cos x for |x| ≤ π: the series at x / 8, then cos 2y = 2 cos² y − 1 three times."""
    square = (x / 8.0) * (x / 8.0)
    total = 1.0
    for term in range(_COS_TERMS, 0, -1):
        total = 1.0 - total * square / ((2 * term - 1) * (2 * term))
    for _ in range(3):
        total = 2.0 * total * total - 1.0
    return total
