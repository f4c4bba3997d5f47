from __future__ import annotations

from dataclasses import replace
from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus_chain.aggregation.aggregate import LARGEST, aggregate, apply_aggregate
from salus_chain.aggregation.report import Report
from salus_chain.aggregation.rule import AggregationRule, Outcome
from salus_chain.errors import Rejected
from tests.chain.aggregation.oracle import INT32, NAMES, Round, clipped, krum, krum_score, length, plain, rounds

MEAN = AggregationRule("mean", 1)


def run(each: Round, order: list[int] | None = None) -> tuple[list[int], Report]:
    order = list(range(len(each.names))) if order is None else order
    values, report = aggregate(
        each.rule,
        np.array(each.updates, np.int32)[order],
        np.array(each.weights, np.int64)[order],
        [each.names[row] for row in order],
        [each.scores[row] for row in order],
    )
    assert values.dtype == np.int32
    return [int(value) for value in values], report


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_rule_equals_its_plain_definition(name: str, data: st.DataObject) -> None:
    each = data.draw(rounds(name))
    assert run(each)[0] == plain(each)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_the_order_of_updates_changes_no_bit(name: str, data: st.DataObject) -> None:
    each = data.draw(rounds(name))
    order = data.draw(st.permutations(range(len(each.names))))
    assert run(each, list(order)) == run(each)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_updates_that_are_all_equal_are_the_aggregate(name: str, data: st.DataObject) -> None:
    each = data.draw(rounds(name))
    each = Round(each.rule, [each.updates[0]] * len(each.weights), each.weights, each.scores)
    wanted = each.updates[0]
    if name in ("clipped_mean", "trust"):
        wanted = clipped(wanted, each.rule.norm_bound)
    assert run(each)[0] == wanted


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_every_coordinate_stays_between_the_gateways(name: str, data: st.DataObject) -> None:
    each = data.draw(rounds(name))
    values, _ = run(each)
    for value, column in zip(values, zip(*each.updates, strict=True), strict=True):
        assert min(0, *column) <= value <= max(0, *column)
        assert name in ("clipped_mean", "trust") or min(column) <= value <= max(column)


@pytest.mark.parametrize("name", ["clipped_mean", "trust"])
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_no_update_moves_the_aggregate_beyond_the_bound(name: str, data: st.DataObject) -> None:
    each = data.draw(rounds(name))
    values, _ = run(each)
    rounding = len(values)  # half a unit for each coordinate, twice, and the floor of a norm
    assert length(values) <= each.rule.norm_bound + 1 + rounding


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=50, deadline=None)
@given(st.data())
def test_the_report_says_what_became_of_each(name: str, data: st.DataObject) -> None:
    each = data.draw(rounds(name))
    _, report = run(each)
    assert (report.rule, report.total_weight) == (each.rule, sum(each.weights))
    assert [row.gateway for row in report.rows] == each.names
    assert [row.weight for row in report.rows] == each.weights
    assert [row.score for row in report.rows] == each.scores
    assert [row.norm for row in report.rows] == [length(update) for update in each.updates]
    assert [(row.outcome, row.detail) for row in report.rows] == [outcome(each, row) for row in range(len(each.names))]
    assert [row.clipped for row in report.rows] == [row.outcome is Outcome.CLIPPED for row in report.rows]


def outcome(each: Round, row: int) -> tuple[Outcome, int]:
    rule, norm = each.rule, length(each.updates[row])
    if rule.name == "trust" and each.scores[row] <= 0:
        return (Outcome.NO_SCORE if each.scores[row] < 0 else Outcome.ZERO_SCORE), 0
    if rule.name in ("clipped_mean", "trust") and norm > rule.norm_bound:
        return Outcome.CLIPPED, 1_000 * rule.norm_bound // norm
    if rule.name == "trimmed_mean":
        n, cut, count = len(each.updates), rule.beta_per_mille * len(each.updates) // 1_000, 0
        for column in zip(*each.updates, strict=True):
            ranks = sorted(range(n), key=lambda other: (column[other], other))
            count += ranks.index(row) < cut or ranks.index(row) >= n - cut
        return (Outcome.TRIMMED, 1_000 * count // len(each.updates[row])) if count else (Outcome.KEPT, 0)
    if rule.name == "multi_krum" and row not in krum(each.updates, rule):
        score = krum_score(each.updates, row, rule.byzantine)
        return Outcome.NOT_SELECTED, isqrt(score)
    return Outcome.KEPT, 0


def test_trimming_a_large_round_counts_as_ranking_every_column_does() -> None:
    """Wider than a block, with ties in some columns and none in others."""
    rng = np.random.default_rng(4)
    rows = np.where(
        rng.random(3_000) < 0.5,
        rng.integers(-2, 3, (200, 3_000)),
        rng.permuted(np.tile(np.arange(200, dtype=np.int64)[:, None], (1, 3_000)), axis=0),
    )
    rule = AggregationRule("trimmed_mean", 1, beta_per_mille=100)
    names = [f"g{row:03}" for row in range(200)]
    values, report = aggregate(rule, rows.astype(np.int32), np.ones(200, np.int64), names)
    ranks = np.argsort(np.argsort(rows, axis=0, kind="stable"), axis=0, kind="stable")
    out = (ranks < 20) | (ranks >= 180)
    assert [row.detail for row in report.rows] == [int(count) * 1_000 // 3_000 for count in out.sum(axis=1)]
    kept = np.where(out, 0, rows).sum(axis=0)
    assert [int(value) for value in values] == [round(int(total) / 160) for total in kept]


def test_one_scaled_up_update_moves_a_clipped_mean_little() -> None:
    honest = np.full((9, 4), 1 << 20, np.int32)
    attack = np.full((1, 4), 1 << 30, np.int32)
    updates, weights = np.concatenate([honest, attack]), np.ones(10, np.int64)
    names, bound = [f"g{i}" for i in range(10)], 1 << 22
    clipped, report = aggregate(AggregationRule("clipped_mean", bound), updates, weights, names)
    assert [row.gateway for row in report.rows if row.clipped] == ["g9"]
    assert abs(int(clipped[0]) - (1 << 20)) < 1 << 18
    assert int(aggregate(MEAN, updates, weights, names)[0][0]) > 100 << 20


ONES = np.ones((2, 3), np.int32)
WEIGHTS = np.ones(2, np.int64)


@pytest.mark.parametrize(
    ("code", "rule", "updates", "weights", "gateways", "scores"),
    [
        ("unknown_rule", replace(MEAN, name="median?"), ONES, WEIGHTS, ["a", "b"], None),
        ("wrong_norm_bound", replace(MEAN, norm_bound=0), ONES, WEIGHTS, ["a", "b"], None),
        ("wrong_norm_bound", replace(MEAN, norm_bound=1 << 31), ONES, WEIGHTS, ["a", "b"], None),
        ("wrong_rule_parameters", replace(MEAN, byzantine=1), ONES, WEIGHTS, ["a", "b"], None),
        ("wrong_shape", MEAN, ONES, WEIGHTS, ["a"], None),
        ("wrong_shape", MEAN, ONES, WEIGHTS[:1], ["a", "b"], None),
        ("wrong_shape", MEAN, ONES[0], WEIGHTS, ["a", "b"], None),
        ("wrong_shape", MEAN, ONES[:, :0], WEIGHTS, ["a", "b"], None),
        ("wrong_shape", MEAN, ONES[:0], WEIGHTS[:0], [], None),
        ("wrong_shape", MEAN, ONES, WEIGHTS, ["a", "b"], [1]),
        ("wrong_shape", MEAN, ONES.astype(np.int16), WEIGHTS, ["a", "b"], None),
        ("wrong_shape", MEAN, ONES, WEIGHTS.astype(np.int32), ["a", "b"], None),
        ("duplicate_gateway", MEAN, ONES, WEIGHTS, ["a", "a"], None),
        ("wrong_weight", MEAN, ONES, WEIGHTS << 31, ["a", "b"], None),
        ("wrong_weight", MEAN, ONES, WEIGHTS - 1, ["a", "b"], None),
        ("wrong_score", MEAN, ONES, WEIGHTS, ["a", "b"], [0, 1_001]),
        ("wrong_score", MEAN, ONES, WEIGHTS, ["a", "b"], [0, -2]),
        ("too_few_for_rule", AggregationRule("trust", 1), ONES, WEIGHTS, ["a", "b"], None),
        ("too_few_for_rule", AggregationRule("trust", 1), ONES, WEIGHTS, ["a", "b"], [-1, 0]),
        ("too_few_for_rule", AggregationRule("multi_krum", 1), ONES, WEIGHTS, ["a", "b"], None),
    ],
)
def test_what_cannot_be_aggregated_is_refused(
    code: str,
    rule: AggregationRule,
    updates: np.ndarray,
    weights: np.ndarray,
    gateways: list[str],
    scores: list[int] | None,
) -> None:
    with pytest.raises(Rejected) as refused:
        aggregate(rule, updates, weights, gateways, scores)
    assert refused.value.code == code


def test_the_largest_weights_and_values_do_not_wrap() -> None:
    lowest = np.full((2, 1), -(1 << 31), np.int32)
    weights = np.array([1, (1 << 32) - 2])
    assert aggregate(MEAN, lowest, weights, ["a", "b"])[0].tolist() == [-(1 << 31)]
    trust = AggregationRule("trust", (1 << 31) - 1)
    highest = np.full((2, 1), (1 << 31) - 1, np.int32)
    assert aggregate(trust, highest, weights, ["a", "b"], [1_000, 1_000])[0].tolist() == [(1 << 31) - 1]


@given(st.lists(INT32, min_size=4, max_size=4), st.lists(INT32, min_size=2, max_size=2))
def test_applying_saturates_and_touches_only_what_is_shared(model: list[int], change: list[int]) -> None:
    after = apply_aggregate(np.array(model, np.int32), np.array(change, np.int32), np.array([1, 3]))
    wanted = [model[0], model[1] + change[0], model[2], model[3] + change[1]]
    assert [int(value) for value in after] == [max(-LARGEST, min(LARGEST, value)) for value in wanted]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("d", [1, 3])
def test_arguments_are_left_as_they_are(name: str, d: int) -> None:
    rows = np.array([[9, -7, 5], [4, 4, 4], [-1, 0, 1], [3, 2, 1], [-9, 9, -9]], np.int32)[:, :d].copy()
    before, weights, rule = (
        rows.tobytes(),
        np.arange(1, 6),
        AggregationRule(name, 7, byzantine=int(name == "multi_krum")),
    )
    aggregate(rule, rows, weights, list("edcba"), [5] * 5)
    aggregate(rule, rows, weights, list("abcde"), [5] * 5)
    assert rows.tobytes() == before
    assert weights.tolist() == [1, 2, 3, 4, 5]
