"""`multi_krum`: the mean of the updates that lie closest to their neighbours.

Blanchard, El Mhamdi, Guerraoui, Stainer, "Machine Learning with Adversaries: Byzantine Tolerant Gradient
Descent" (NeurIPS 2017), section 4: with n >= 2f + 3, an update's score is the sum of its squared distances to
the n - f - 2 closest others; the m updates of the lowest scores are averaged, m = n - f unless the round says
otherwise. Equal scores go by gateway id. Weights do not count: f is a number of gateways, not of patients.
On heterogeneous data this rule costs much without any attack: compare `salus bench chain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Final

import numpy as np

from salus_chain.aggregation.distances import Distances, Integers, squared_distances
from salus_chain.aggregation.exact import Int64s, divide
from salus_chain.aggregation.rule import KEPT, AggregationRule, Combined, Method, Outcome, Parameter, Updates, Verdict
from salus_chain.fixed import Int32s


@dataclass(frozen=True, slots=True)
class Krum:
    """Rows (n, d), their distances (n, n), and for each row the sum of its `neighbours` closest and the last of these.

    `chosen` are the rows of the aggregate and `total` int64 (d,) is their sum.
    """

    rule: AggregationRule
    values: Int32s
    distances: Distances
    scores: Integers
    farthest: Integers
    chosen: tuple[int, ...]
    total: Int64s

    def without(self, row: int) -> Int64s:
        """The rule over all rows but one, without computing a distance again.

        The others have one neighbour less: a row that had the lost one among its closest drops that distance,
        any other drops its farthest; either way the smaller of the two.
        """
        count = selected(self.rule, len(self.values) - 1)
        if not count:
            return np.zeros_like(self.total)
        scores = self.scores - np.minimum(self.distances.row(row), self.farthest)
        chosen = [other for other in _ranking(scores) if other != row][:count]
        total = self.total.copy()
        for gone in set(self.chosen) - set(chosen):
            total -= self.values[gone]
        for new in set(chosen) - set(self.chosen):
            total += self.values[new]
        return divide(total, count)


def combine(rule: AggregationRule, updates: Updates) -> Combined:
    """The mean of the chosen; the others with the root of their score."""
    krum = _krum(rule, updates)
    chosen = set(krum.chosen)
    verdicts = tuple(
        KEPT if row in chosen else Verdict(Outcome.NOT_SELECTED, isqrt(int(score)))
        for row, score in enumerate(krum.scores)
    )
    return Combined(divide(krum.total, len(chosen)).astype(np.int32), verdicts, krum.without)


def _krum(rule: AggregationRule, updates: Updates) -> Krum:
    neighbours = len(updates.values) - rule.byzantine - 2
    distances = squared_distances(updates.values, updates.norms)
    scores, farthest = distances.closest(neighbours + 1)  # with the row itself, at distance 0
    chosen = _ranking(scores)[: selected(rule, len(updates.values))]
    total = updates.values[chosen].sum(axis=0, dtype=np.int64)
    return Krum(rule, updates.values, distances, scores, farthest, tuple(chosen), total)


def _ranking(scores: Integers) -> list[int]:
    """Rows by score, then by gateway."""
    return [int(row) for row in np.argsort(scores, kind="stable")]


def selected(rule: AggregationRule, rows: int) -> int:
    """How many of so many rows are averaged; 0 when n < 2f + 3, or there are fewer good ones than to select."""
    good = rows - rule.byzantine
    return 0 if rows < 2 * rule.byzantine + 3 or rule.selected > good else rule.selected or good


PARAMETERS: Final = {"byzantine": Parameter(0, 1 << 16), "selected": Parameter(0, 1 << 16, default=0)}
MULTI_KRUM: Final = Method(combine, PARAMETERS, averaged=selected)
