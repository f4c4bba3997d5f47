"""The mean of the middle ranks of every coordinate: what `median` and `trimmed_mean` have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from salus_chain.aggregation.exact import Int64s, divide
from salus_chain.fixed import Int32s

BLOCK_NUMBERS: Final = 1 << 18  # 1 MB of int32 sorted at a time


@dataclass(frozen=True, slots=True)
class Middle:
    """Of rows (n, d): the mean int32 (d,) of ranks [cut, n - cut) of each coordinate, and what one row changes.

    `below` and `above` int32 (d,) are the highest rank cut off at the low end and the lowest at the high end.
    Of n - 1 rows, `rest_cut` would be cut at each end and `rest` be left: `total` int64 (d,), `low` and `high`
    int32 (d,) are the sum, the first and the last of ranks [rest_cut, n - rest_cut) of all n.
    """

    values: Int32s
    below: Int32s
    above: Int32s
    rest: int
    total: Int64s
    low: Int32s
    high: Int32s

    def without(self, row: Int32s) -> Int64s:
        """The same for all rows but this one.

        A row of rank below the window shifts it up by one, which drops its first; one above drops its last;
        one inside drops itself: `total` less the row's value put between `low` and `high`.
        """
        return divide(self.total - np.clip(row, self.low, self.high), self.rest) if self.rest > 0 else 0 * self.total


def middle(values: Int32s, cut: int, rest_cut: int) -> Middle:
    """Sort each coordinate, a block of them at a time; 0 <= 2 cut < n, 0 <= 2 rest_cut < n - 1 unless n is 1."""
    n, d = values.shape
    sums: list[tuple[Int64s, Int64s]] = []
    edges: list[Int32s] = []
    at = (max(cut - 1, 0), min(n - cut, n - 1), rest_cut, n - 1 - rest_cut)
    width = max(1, BLOCK_NUMBERS // n)
    for start in range(0, d, width):
        ranks = values[:, start : start + width].T.copy(order="C")
        ranks.sort(axis=1)
        sums.append((_sum(ranks[:, cut : n - cut]), _sum(ranks[:, rest_cut : n - rest_cut])))
        edges.append(ranks[:, at].T)
    kept, total = (np.concatenate(part) for part in zip(*sums, strict=True))
    below, above, low, high = np.concatenate(edges, axis=1)
    rest = n - 1 - 2 * rest_cut
    return Middle(divide(kept, n - 2 * cut).astype(np.int32), below, above, rest, total, low, high)


def _sum(ranks: Int32s) -> Int64s:
    total: Int64s = ranks.sum(axis=1, dtype=np.int64)
    return total
