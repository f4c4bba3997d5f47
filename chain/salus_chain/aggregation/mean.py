"""`mean`: the mean weighted by patients, FedAvg's (McMahan et al., arXiv 1602.05629). One liar moves it anywhere."""

from __future__ import annotations

from typing import Final

from salus_chain.aggregation.rule import KEPT, AggregationRule, Combined, Method, Updates
from salus_chain.aggregation.weighted import weigh


def combine(rule: AggregationRule, updates: Updates) -> Combined:
    """Every update as it is, by its weight."""
    weighed = weigh(tuple(updates.values), updates.weights)
    return Combined(weighed.mean, (KEPT,) * len(updates.weights), weighed.without)


MEAN: Final = Method(combine)
