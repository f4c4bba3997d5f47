"""`clipped_mean`: updates longer than the norm bound are scaled down to it, then averaged by weight.

Norm clipping of Sun et al., "Can You Really Backdoor Federated Learning?" (arXiv 1911.07963), section 4: an
update w becomes w / max(1, |w| / M). A gateway moves the aggregate by no more than its share of weight times M.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from salus_chain.aggregation.exact import divide
from salus_chain.aggregation.rule import KEPT, AggregationRule, Combined, Method, Outcome, Updates, Verdict
from salus_chain.aggregation.weighted import weigh
from salus_chain.fixed import Int32s


def combine(rule: AggregationRule, updates: Updates) -> Combined:
    """The mean of the clipped updates, by weight."""
    rows, verdicts = clip(rule, updates)
    weighed = weigh(rows, updates.weights)
    return Combined(weighed.mean, verdicts, weighed.without)


def clip(rule: AggregationRule, updates: Updates) -> tuple[tuple[Int32s, ...], tuple[Verdict, ...]]:
    """Each row scaled by bound / norm, half to even, where the floor of its norm is above the bound."""
    bound = rule.norm_bound
    scaled = [_scaled(row, norm, bound) for row, norm in zip(updates.values, updates.norms, strict=True)]
    verdicts = [Verdict(Outcome.CLIPPED, 1_000 * bound // norm) if norm > bound else KEPT for norm in updates.norms]
    return tuple(scaled), tuple(verdicts)


def _scaled(row: Int32s, norm: int, bound: int) -> Int32s:
    """|row * bound| <= 2^31 * 2^31, inside int64."""
    return divide(row.astype(np.int64) * bound, norm).astype(np.int32) if norm > bound else row


CLIPPED_MEAN: Final = Method(combine)
