"""Exact arithmetic on int32 updates: dot products and division that no processor rounds differently.

int64 wraps already at d = 2 for the largest int32s, so numbers are split into 16-bit limbs wherever a sum
could leave int64. Vectors here hold |x| <= 2^33 (an int32, or a difference of two) and d <= 2^24 elements
(a file holds no more): a sum of products of two limbs is then below 2^17 * 2^17 * 2^24 = 2^58.
"""

from __future__ import annotations

from math import isqrt
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salus_chain.fixed import Int32s

Int64s: TypeAlias = NDArray[np.int64]
Limbs: TypeAlias = tuple[Int64s, ...]  # of totals, the high one first, LIMB_BITS apart

LIMB_BITS: Final = 16
LIMB_MASK: Final = (1 << LIMB_BITS) - 1
INT64_END: Final = 1 << 63


def dot(left: Int64s, right: Int64s) -> int:
    """The exact inner product of two vectors (d,) with |x| <= 2^33."""
    if _peak(left) * _peak(right) * left.size < INT64_END:
        return int(left @ right)
    left_high, left_low = left >> LIMB_BITS, left & LIMB_MASK
    right_high, right_low = right >> LIMB_BITS, right & LIMB_MASK
    middle = int(left_high @ right_low) + int(left_low @ right_high)
    return (int(left_high @ right_high) << 2 * LIMB_BITS) + (middle << LIMB_BITS) + int(left_low @ right_low)


def squared_norm(values: Int32s | Int64s) -> int:
    """The exact sum of squares of a vector (d,)."""
    wide = values.astype(np.int64)
    return dot(wide, wide)


def norm(values: Int32s | Int64s) -> int:
    """The floor of the L2 norm, in the unit of `values`."""
    return isqrt(squared_norm(values))


def cosine_per_mille(left: Int64s, right: Int64s) -> int:
    """1000 times the cosine of two vectors, rounded towards zero; 0 when either is zero."""
    product, scale = dot(left, right), squared_norm(left) * squared_norm(right)
    size = isqrt(product * product * 1_000_000 // scale) if scale else 0
    return size if product > 0 else -size


def divide(numerators: Int64s, denominator: int) -> Int64s:
    """Elementwise quotient, rounded half to even; positive denominators, |numerator| + denominator < 2^63.

    Adding half the denominator makes the floor round half up; where an even one then divides without rest, it
    was a half, and goes back from an odd quotient to the even one below.
    """
    raised = numerators + denominator // 2
    quotient: Int64s = raised // denominator
    if denominator % 2 == 0:
        quotient -= (raised == quotient * denominator) & (quotient & 1 == 1)
    return quotient


def divide_limbs(totals: Limbs, denominator: int) -> Int64s:
    """Elementwise quotient of numerators in one limb or two, rounded half to even; it must fit int64.

    Long division: with limbs up to 2^58 and a denominator below 2^42, all stays below 2^60.
    """
    if len(totals) == 1:
        return divide(totals[0], denominator)
    high, low = totals
    digit = high // denominator
    return (digit << LIMB_BITS) + divide((high - digit * denominator << LIMB_BITS) + low, denominator)


def weighted_limbs(row: Int32s, weight: int, limbs: int) -> Limbs:
    """weight * row as int64 totals: one limb when all weights together are below 2^32, else two."""
    factor = np.int64(weight)
    if limbs == 1:
        return (row * factor,)
    return ((row >> LIMB_BITS) * factor, (row & LIMB_MASK) * factor)


def _peak(values: Int64s) -> int:
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))
