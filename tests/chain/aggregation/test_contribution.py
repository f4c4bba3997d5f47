from __future__ import annotations

from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus_chain.aggregation.aggregate import aggregate, explain
from salus_chain.aggregation.rule import AggregationRule
from tests.chain.aggregation.oracle import NAMES, Round, plain, rounds


def explained(each: Round) -> list[tuple[int, int]]:
    updates, weights = np.array(each.updates, np.int32), np.array(each.weights, np.int64)
    report = explain(each.rule, updates, weights, each.names, each.scores)
    found = []
    for row in report.rows:
        assert row.contribution is not None
        found.append((row.contribution.influence, row.contribution.alignment))
    return found


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=80, deadline=None)
@given(st.data())
def test_a_contribution_is_what_aggregating_anew_without_the_gateway_loses(name: str, data: st.DataObject) -> None:
    each = data.draw(rounds(name, most=7))
    whole = plain(each)
    assert whole is not None
    wanted = []
    for row in range(len(each.names)):
        rest = plain(each.without(row)) or [0] * len(whole)
        lost = [a - b for a, b in zip(whole, rest, strict=True)]
        wanted.append((isqrt(square(lost)), cosine(lost, whole)))
    assert explained(each) == wanted


def square(values: list[int]) -> int:
    return sum(value * value for value in values)


def cosine(left: list[int], right: list[int]) -> int:
    product, scale = sum(a * b for a, b in zip(left, right, strict=True)), square(left) * square(right)
    size = isqrt(product * product * 10**6 // scale) if scale else 0
    return size if product > 0 else -size


@pytest.mark.parametrize("name", NAMES)
def test_explaining_changes_nothing_else_of_the_report(name: str) -> None:
    rows = np.random.default_rng(1).integers(-(1 << 20), 1 << 20, (6, 40), dtype=np.int32)
    rule, weights, names = AggregationRule(name, 1 << 21), np.arange(1, 7), list("abcdef")
    _, report = aggregate(rule, rows, weights, names, [500] * 6)
    full = explain(rule, rows, weights, names, [500] * 6)
    known = tuple(row.contribution for row in full.rows if row.contribution is not None)
    assert all(row.contribution is None for row in report.rows)
    assert report.with_contributions(known) == full


def test_an_opponent_has_a_negative_alignment_and_a_helper_a_positive_one() -> None:
    rows = np.array([[100, 0], [100, 10], [100, -10], [-100, 0]], np.int32)
    found = explained(Round(AggregationRule("mean", 1 << 20), rows.tolist(), [1] * 4, [-1] * 4))
    assert found[3] == (50, -1_000)
    assert found[0] == (17, 1_000)


def test_a_gateway_that_was_left_out_contributed_nothing() -> None:
    each = Round(AggregationRule("trust", 1 << 20), [[9, 9], [5, 5], [1, 1]], [3, 2, 1], [500, -1, 0])
    assert explained(each) == [(12, 1_000), (0, 0), (0, 0)]
