"""`median`: each coordinate's median over the gateways.

Coordinate-wise median of Yin, Chen, Kannan, Bartlett, "Byzantine-Robust Distributed Learning" (arXiv
1803.01498), definition 1. Of an even number it is the mean of the middle two, half to even. Weights do not
count: what it withstands is a minority of gateways, however many patients they claim.
"""

from __future__ import annotations

from typing import Final

from salus_chain.aggregation.ranks import middle
from salus_chain.aggregation.rule import KEPT, AggregationRule, Combined, Method, Updates


def combine(rule: AggregationRule, updates: Updates) -> Combined:
    """Cut all but the middle rank, or the middle two, off every coordinate."""
    rows = updates.values
    ranks = middle(rows, (len(rows) - 1) // 2, max(0, (len(rows) - 2) // 2))
    return Combined(ranks.values, (KEPT,) * len(rows), lambda row: ranks.without(rows[row]))


MEDIAN: Final = Method(combine)
