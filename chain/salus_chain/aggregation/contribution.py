"""Contribution scores: leave-one-out on the settled aggregate.

A gateway's score is what the aggregate would lose without it, as a norm and a direction (`Contribution`). All
rules have a closed form of the aggregate without a row, so that n scores cost n passes over one row, O(n d),
and multi_krum's O(n^2 log n) more; nothing is aggregated anew.

What the score does not say: two gateways with the same update hide each other, since either alone carries it
(a Shapley value would share it out, at 2^n aggregates); a large influence is no merit, for an attack has one too;
and where the others are too few for the rule, the aggregate without a gateway counts as zero.
"""

from __future__ import annotations

import numpy as np

from salus_chain.aggregation.exact import cosine_per_mille, norm
from salus_chain.aggregation.report import Contribution
from salus_chain.aggregation.rule import Combined


def contributions(combined: Combined) -> tuple[Contribution, ...]:
    """One for each row of what was combined, in that order."""
    return tuple(_contribution(combined, row) for row in range(len(combined.verdicts)))


def _contribution(combined: Combined, row: int) -> Contribution:
    whole = combined.values.astype(np.int64)
    lost = whole - combined.without(row)
    return Contribution(norm(lost), cosine_per_mille(lost, whole))
