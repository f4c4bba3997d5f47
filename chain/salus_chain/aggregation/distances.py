"""Exact squared distances of all pairs of updates, by matrix products of integers.

The products run in float64, where BLAS is fast, and are exact nevertheless: a sum of integers has no rounding
in any order, fused or not, on any IEEE 754 processor, while every partial sum stays within 2^53.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salus_chain.aggregation.exact import INT64_END, LIMB_BITS, LIMB_MASK, Int64s, Limbs
from salus_chain.fixed import Int32s

Integers: TypeAlias = NDArray[Any]  # int64, or Python ints where int64 could wrap: the same code serves both

FLOAT_EXACT: Final = 1 << 53
CHUNK_MOST: Final = 1 << 20  # columns
CHUNK_LEAST: Final = 64
CHUNK_NUMBERS: Final = 1 << 20  # 8 MB of float64 a limb


def squared_distances(values: Int32s, largest_norm: int) -> Integers:
    """Integers (n, n) from rows int32 (n, d); `largest_norm` is the floor of the largest L2 norm of a row.

    int64 when even a sum of n of them is inside int64, else Python ints.
    """
    products = gram(values, largest_norm)
    own = products.diagonal()
    distances = own[:, None] + own[None, :] - 2 * products
    fits = int(distances.max()) * len(values) < INT64_END
    exact: Integers = distances.astype(np.int64 if fits else object)
    return exact


def gram(values: Int32s, largest_norm: int) -> Integers:
    """Inner products of all pairs of rows, (n, n): int64 where four of them are inside int64, else Python ints."""
    square = (largest_norm + 1) ** 2
    products = _product if square <= FLOAT_EXACT else _limb_products
    width = min(CHUNK_MOST, max(CHUNK_LEAST, CHUNK_NUMBERS // len(values)))
    limbs = products(values[:, :width])
    for start in range(width, values.shape[1], width):
        for limb, more in zip(limbs, products(values[:, start : start + width]), strict=True):
            limb += more
    kind = np.int64 if 4 * square < INT64_END else object
    total: Integers = limbs[0].astype(kind)
    for limb in limbs[1:]:
        total = (total << LIMB_BITS) + limb
    return total


def _product(rows: Int32s | Int64s) -> Limbs:
    """One product, where every squared norm is at most 2^53.

    By Cauchy-Schwarz any partial sum of products x_k y_k is then at most |x| |y| <= 2^53 in size.
    """
    floats = rows.astype(np.float64)
    return ((floats @ floats.T).astype(np.int64),)


def _limb_products(rows: Int32s) -> Limbs:
    """Three products, whatever the rows hold: each is high * 2^16 + low, both of [-2^15, 2^15].

    So high + low is within 2^16, its products within 2^32, and sums over 2^20 columns within 2^52. Karatsuba:
    high low' + low high' = (high + low)(high + low)' - high high' - low low'.
    """
    half = 1 << (LIMB_BITS - 1)
    wide = rows.astype(np.int64)
    low = ((wide + half) & LIMB_MASK) - half
    high = (wide - low) >> LIMB_BITS
    (highs,), (lows,), (both,) = _product(high), _product(low), _product(high + low)
    return highs, both - highs - lows, lows
