"""The weighted mean of rows in exact integers, and the same without any one row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salus_chain.aggregation.exact import Int64s, Limbs, divide_limbs, weighted_limbs
from salus_chain.fixed import Int32s

ONE_LIMB_END = 1 << 32  # weights that sum to less keep every sum of products inside int64


@dataclass(frozen=True, slots=True)
class WeightedRows:
    """Rows int32 (d,) with weights from 0 that sum to less than 2^42, and their total in limbs."""

    rows: Sequence[Int32s]
    weights: Sequence[int]
    weight: int
    totals: Limbs

    @property
    def mean(self) -> Int32s:
        """Rounded half to even. The weights must not all be 0."""
        return divide_limbs(self.totals, self.weight).astype(np.int32)

    def without(self, row: int) -> Int64s:
        """The mean of all rows but one; zero when no weight is left."""
        rest = self.weight - self.weights[row]
        if not rest:
            return np.zeros_like(self.totals[0])
        part = weighted_limbs(self.rows[row], self.weights[row], len(self.totals))
        return divide_limbs(tuple(total - mine for total, mine in zip(self.totals, part, strict=True)), rest)


def weigh(rows: Sequence[Int32s], weights: Sequence[int]) -> WeightedRows:
    """Add up the rows; the order changes nothing, integers being associative."""
    weight = sum(weights)
    limbs = 1 if weight < ONE_LIMB_END else 2
    totals = tuple(np.zeros(rows[0].shape, np.int64) for _ in range(limbs))
    for row, each in zip(rows, weights, strict=True):
        for total, part in zip(totals, weighted_limbs(row, each, limbs), strict=True):
            total += part
    return WeightedRows(rows, weights, weight, totals)
