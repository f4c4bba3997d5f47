"""Exact squared distances of all pairs of updates, by one matrix product of integers.

The product runs in float64, where BLAS is fast, and is exact nevertheless: a sum of integers needs no rounding,
in any order, fused or not, on any IEEE 754 processor, while every partial sum stays within 2^53. Cauchy-Schwarz
says when: any part of sum x_k y_k is at most |x| |y|, so rows of norms up to 2^26.5 will do. Longer rows, of
which there are few unless someone attacks, are split in two: row = high * 2^16 + low with both in [-2^15, 2^15],
of norms up to 2^15 * 2^10 over CHUNK_MOST = 2^20 columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salus_chain.aggregation.exact import INT64_END, LIMB_BITS, LIMB_MASK, Int64s
from salus_chain.fixed import Int32s

Integers: TypeAlias = NDArray[Any]  # int64, or Python ints where int64 could wrap: the same code serves both

FLOAT_EXACT: Final = 1 << 53
CHUNK_MOST: Final = 1 << 20  # columns
CHUNK_LEAST: Final = 64
CHUNK_NUMBERS: Final = 1 << 20  # 8 MB of float64
WORD_BITS: Final = 2 * LIMB_BITS
WORD_MASK: Final = (1 << WORD_BITS) - 1


@dataclass(frozen=True, slots=True)
class Distances:
    """Squared distances high * 2^32 + low of n rows, int64 (n, n), symmetric; low is in [0, 2^32)."""

    high: Int64s
    low: Int64s

    def row(self, number: int) -> Integers:
        """(n,)"""
        return _join(self.high[number], self.low[number])

    def closest(self, count: int) -> tuple[Integers, Integers]:
        """Of each row, the sum of its `count` smallest distances and the largest of these, (n,) and (n,)."""
        if int(self.high.max()) < INT64_END >> WORD_BITS:
            order = np.argpartition((self.high << WORD_BITS) + self.low, count - 1, axis=1)[:, :count]
        else:
            order = np.lexsort((self.low, self.high), axis=1)[:, :count]
        high, low = (np.take_along_axis(part, order, axis=1) for part in (self.high, self.low))
        return _join(high.sum(axis=1), low.sum(axis=1)), _join(high[:, -1], low[:, -1])


def _join(high: Int64s, low: Int64s) -> Integers:
    """high * 2^32 + low, where low is not negative and may reach beyond 2^32."""
    high = high + (low >> WORD_BITS)
    kind = np.int64 if int(high.max()) < INT64_END >> WORD_BITS else object
    joined: Integers = (high.astype(kind) << WORD_BITS) + (low & WORD_MASK)
    return joined


def squared_distances(values: Int32s, norms: Sequence[int]) -> Distances:
    """Of all pairs of rows int32 (n, d); `norms` are the floors of their L2 norms."""
    n, long = len(values), [row for row, norm in enumerate(norms) if (norm + 1) ** 2 > FLOAT_EXACT]
    products = _products(values, long)
    middle, highs = np.zeros((n, n), np.int64), np.zeros((n, n), np.int64)
    middle[long, :] += products[n:, :n]
    middle[:, long] += products[:n, n:]
    highs[np.ix_(long, long)] = products[n:, n:]
    low = _apart(products[:n, :n])
    middle = _apart(middle) + (low >> LIMB_BITS)
    high = _apart(highs) + (middle >> LIMB_BITS)
    return Distances(high, ((middle & LIMB_MASK) << LIMB_BITS) + (low & LIMB_MASK))


def _apart(products: Int64s) -> Int64s:
    """|x - y|^2 = xx + yy - 2xy, which holds for each limb of the products by itself."""
    own = products.diagonal()
    return own[:, None] + own[None, :] - 2 * products


def _products(values: Int32s, long: list[int]) -> Int64s:
    """Inner products of all rows, a long one as its low limb, and after them of the long ones' high limbs."""
    rows = len(values) + len(long)
    total = np.zeros((rows, rows), np.int64)
    width = min(CHUNK_MOST, max(CHUNK_LEAST, CHUNK_NUMBERS // rows))
    for start in range(0, values.shape[1], width):
        chunk = values[:, start : start + width]
        floats = np.empty((rows, chunk.shape[1]))
        floats[: len(chunk)] = chunk
        floats[long], floats[len(chunk) :] = _limbs(chunk[long].astype(np.int64))
        total += _inner(floats)
    return total


def _inner(floats: NDArray[np.float64]) -> Int64s:
    """Inner products of rows of whole numbers, exact.

    Should a BLAS be wrong, or sum in a way that the above does not cover, then its product times a vector is not
    the rows times the rows times that vector, modulo 2^64 (Freivalds' check); integers, 20 times slower, are right.
    """
    product, whole = _multiply(floats), floats.astype(np.int64)
    probe = np.arange(1, len(floats) + 1)
    return product if np.array_equal(product @ probe, whole @ (whole.T @ probe)) else whole @ whole.T


def _multiply(floats: NDArray[np.float64]) -> Int64s:
    return (floats @ floats.T).astype(np.int64)


def _limbs(rows: Int64s) -> tuple[Int64s, Int64s]:
    """Low and high, both in [-2^15, 2^15]."""
    half = 1 << (LIMB_BITS - 1)
    low = ((rows + half) & LIMB_MASK) - half
    return low, (rows - low) >> LIMB_BITS
