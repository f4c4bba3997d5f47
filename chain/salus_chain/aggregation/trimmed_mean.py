"""`trimmed_mean`: of each coordinate, floor(beta n) values are cut off at each end, and the rest averaged.

Coordinate-wise trimmed mean of Yin, Chen, Kannan, Bartlett, "Byzantine-Robust Distributed Learning" (arXiv
1803.01498), definition 2; beta is `beta_per_mille` / 1000, below one half. Equal values are ordered by gateway.
Weights do not count.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from salus_chain.aggregation.exact import Int64s
from salus_chain.aggregation.ranks import BLOCK_NUMBERS, Middle, middle
from salus_chain.aggregation.rule import (
    KEPT,
    AggregationRule,
    Combined,
    Method,
    Outcome,
    Parameter,
    Updates,
    Verdict,
)
from salus_chain.fixed import Int32s


def combine(rule: AggregationRule, updates: Updates) -> Combined:
    """The mean of the middle ranks, and what share of each gateway's coordinates was cut off."""
    rows, beta = updates.values, rule.beta_per_mille
    n, d = rows.shape
    cut = beta * n // 1_000
    ranks = middle(rows, cut, beta * (n - 1) // 1_000)
    counts = trimmed_counts(rows, ranks, cut) if cut else np.zeros(n, np.int64)
    verdicts = tuple(Verdict(Outcome.TRIMMED, 1_000 * int(count) // d) if count else KEPT for count in counts)
    return Combined(ranks.values, verdicts, lambda row: ranks.without(rows[row]))


def trimmed_counts(rows: Int32s, ranks: Middle, cut: int) -> Int64s:
    """How many coordinates of each row (n, d) are among the `cut` lowest or highest, int64 (n,).

    Comparing with the outermost values that are cut tells, except where more values equal them than are cut:
    such coordinates are ranked.
    """
    counts = np.zeros(len(rows), np.int64)
    width = max(1, BLOCK_NUMBERS // len(rows))
    for start in range(0, rows.shape[1], width):
        part = slice(start, start + width)
        block = rows[:, part]
        below, above = block <= ranks.below[part], block >= ranks.above[part]
        clear = (below.sum(axis=0) == cut) & (above.sum(axis=0) == cut)
        counts += ((below | above) & clear).sum(axis=1)
        order = np.argsort(block[:, ~clear], axis=0, kind="stable")
        for cut_off in (order[:cut], order[len(rows) - cut :]):
            counts += np.bincount(cut_off.ravel(), minlength=len(rows))
    return counts


TRIMMED_MEAN: Final = Method(combine, {"beta_per_mille": Parameter(0, 499)})
