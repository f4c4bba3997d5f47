"""Aggregation in exact integers: every validator gets the same bytes, in any order of the updates.

`aggregate` is all that a settlement needs; `explain` adds what each gateway contributed, which nobody signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_chain.aggregation.contribution import contributions
from salus_chain.aggregation.exact import Int64s, norm
from salus_chain.aggregation.registry import RULES, check_rule, counted
from salus_chain.aggregation.report import Report, Row
from salus_chain.aggregation.rule import MAX_WEIGHT_SUM, NO_SCORE, AggregationRule, Combined, Updates
from salus_chain.errors import Rejected
from salus_chain.fixed import Int32s

MAX_SCORE: Final = 1_000
LARGEST: Final = (1 << 31) - 1  # |w| < 128 on the 2^-24 grid


def aggregate(
    rule: AggregationRule,
    updates: Int32s,
    weights: Int64s,
    gateways: Sequence[str],
    scores: Sequence[int] | None = None,
) -> tuple[Int32s, Report]:
    """Combine updates int32 (n, d) with weights int64 (n,) into one int32 (d,), and say what became of each.

    `gateways` names the rows; `scores` are attested per mille, NO_SCORE for none. Raises Rejected `unknown_rule`,
    `wrong_norm_bound`, `wrong_rule_parameters`, `wrong_shape`, `duplicate_gateway`, `wrong_weight`, `wrong_score`
    or `too_few_for_rule`.
    """
    taken = take(rule, updates, weights, gateways, scores)
    combined = RULES[rule.name].combine(rule, taken)
    return combined.values, _report(rule, taken, combined)


def explain(
    rule: AggregationRule,
    updates: Int32s,
    weights: Int64s,
    gateways: Sequence[str],
    scores: Sequence[int] | None = None,
) -> Report:
    """The report of `aggregate` with each gateway's contribution. Raises Rejected as `aggregate`."""
    taken = take(rule, updates, weights, gateways, scores)
    combined = RULES[rule.name].combine(rule, taken)
    return _report(rule, taken, combined).with_contributions(contributions(combined))


def apply_aggregate(model: Int32s, aggregated: Int32s, indices: NDArray[np.int64]) -> Int32s:
    """model' = saturate(model + aggregate) at the flat positions `indices` (d,); the rest stays."""
    changed = model.astype(np.int64)
    changed[indices] += aggregated
    return np.clip(changed, -LARGEST, LARGEST).astype(np.int32)


def take(
    rule: AggregationRule, updates: Int32s, weights: Int64s, gateways: Sequence[str], scores: Sequence[int] | None
) -> Updates:
    """The rows by gateway, checked. Raises Rejected as `aggregate`."""
    scores = [NO_SCORE] * len(gateways) if scores is None else scores
    _check(rule, updates, weights, gateways, scores)
    order = sorted(range(len(gateways)), key=gateways.__getitem__)
    return Updates(
        tuple(gateways[row] for row in order),
        updates if order == list(range(len(order))) else updates[order],
        tuple(int(weights[row]) for row in order),
        tuple(int(scores[row]) for row in order),
        tuple(norm(updates[row]) for row in order),
    )


def _report(rule: AggregationRule, taken: Updates, combined: Combined) -> Report:
    given = zip(taken.gateways, taken.weights, taken.scores, taken.norms, combined.verdicts, strict=True)
    rows = (Row(name, weight, score, norm, each.outcome, each.detail) for name, weight, score, norm, each in given)
    return Report(rule, sum(taken.weights), tuple(rows))


def _check(
    rule: AggregationRule, updates: Int32s, weights: Int64s, gateways: Sequence[str], scores: Sequence[int]
) -> None:
    check_rule(rule)
    rows = len(gateways)
    if updates.ndim != 2 or len(updates) != rows or weights.shape != (rows,) or len(scores) != rows or not updates.size:
        sizes = f"updates {updates.shape}, weights {weights.shape}, {len(scores)} scores"
        raise Rejected("wrong_shape", f"{sizes}, {rows} gateways do not fit or are empty")
    if updates.dtype != np.int32 or weights.dtype != np.int64:
        raise Rejected("wrong_shape", f"updates are {updates.dtype}, weights {weights.dtype}: int32, int64 wanted")
    if len(set(gateways)) != rows:
        raise Rejected("duplicate_gateway", "one update of each gateway counts, no more")
    if min(weights) < 1 or sum(map(int, weights)) > MAX_WEIGHT_SUM:
        raise Rejected("wrong_weight", "weights are positive and their sum is below 2^32")
    if not all(NO_SCORE <= score <= MAX_SCORE for score in scores):
        raise Rejected("wrong_score", f"scores are per mille, 0 to {MAX_SCORE}, or {NO_SCORE} for none")
    if not RULES[rule.name].averaged(rule, counted(rule.name, scores)):
        raise Rejected("too_few_for_rule", f"{counted(rule.name, scores)} updates count, too few for rule {rule.name}")
