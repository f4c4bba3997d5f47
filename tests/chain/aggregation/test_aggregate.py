from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from salus_chain.aggregation.aggregate import LARGEST, RULES, aggregate, apply_aggregate, divide, squared_norm
from salus_chain.errors import Rejected

INT32 = st.integers(-(1 << 31), (1 << 31) - 1) | st.integers(-3, 3)


@st.composite
def rounds(draw: st.DrawFn) -> tuple[list[list[int]], list[int], list[str], int]:
    n, d = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    updates = draw(st.lists(st.lists(INT32, min_size=d, max_size=d), min_size=n, max_size=n))
    weights = draw(st.lists(st.integers(1, 10) | st.just((1 << 32) // n - 1), min_size=n, max_size=n))
    return updates, weights, [f"g{i}" for i in range(n)], draw(st.integers(1, (1 << 31) - 1))


def plain(rule: str, updates: list[list[int]], weights: list[int], bound: int) -> list[int]:
    """The rules in exact fractions; Python's round() is half to even."""
    bounded = []
    for update in updates:
        norm = isqrt(sum(value * value for value in update))
        cut = rule == "clipped_mean" and norm > bound
        bounded.append([round(Fraction(value * bound, norm)) if cut else value for value in update])
    total = sum(weights)
    columns = zip(*bounded, strict=True)
    return [round(Fraction(sum(w * v for w, v in zip(weights, column, strict=True)), total)) for column in columns]


def run(rule: str, updates: list[list[int]], weights: list[int], names: list[str], bound: int) -> list[int]:
    values, _ = aggregate(rule, np.array(updates, np.int32), np.array(weights, np.int64), names, bound)
    assert values.dtype == np.int32
    return [int(value) for value in values]


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=200)
@given(rounds())
def test_a_rule_equals_its_plain_definition(rule: str, each: tuple[list[list[int]], list[int], list[str], int]) -> None:
    updates, weights, names, bound = each
    assert run(rule, updates, weights, names, bound) == plain(rule, updates, weights, bound)


@pytest.mark.parametrize("rule", RULES)
@given(rounds(), st.randoms())
def test_the_order_of_updates_changes_no_bit(
    rule: str, each: tuple[list[list[int]], list[int], list[str], int], random: object
) -> None:
    updates, weights, names, bound = each
    order = list(range(len(names)))
    random.shuffle(order)  # type: ignore[attr-defined]
    first = aggregate(rule, np.array(updates, np.int32), np.array(weights, np.int64), names, bound)
    again = aggregate(
        rule,
        np.array(updates, np.int32)[order],
        np.array(weights, np.int64)[order],
        [names[row] for row in order],
        bound,
    )
    assert first[0].tobytes() == again[0].tobytes()
    assert first[1] == again[1]


@given(st.lists(INT32, min_size=1, max_size=50))
def test_norms_are_exact(values: list[int]) -> None:
    assert squared_norm(np.array(values, np.int32)) == sum(value * value for value in values)


@given(st.integers(-(1 << 62), 1 << 62), st.integers(1, 1 << 45))
def test_division_rounds_half_to_even(numerator: int, denominator: int) -> None:
    assert int(divide(np.array([numerator], np.int64), denominator)[0]) == round(Fraction(numerator, denominator))


def test_one_scaled_up_update_moves_a_clipped_mean_little() -> None:
    honest = np.full((9, 4), 1 << 20, np.int32)
    attack = np.full((1, 4), 1 << 30, np.int32)
    updates, weights = np.concatenate([honest, attack]), np.ones(10, np.int64)
    names, bound = [f"g{i}" for i in range(10)], 1 << 22
    clipped, report = aggregate("clipped_mean", updates, weights, names, bound)
    assert [row.gateway for row in report.rows if row.clipped] == ["g9"]
    assert abs(int(clipped[0]) - (1 << 20)) < 1 << 18
    assert int(aggregate("mean", updates, weights, names, bound)[0][0]) > 100 << 20


def call(code: str) -> None:
    ones: NDArray[np.int32] = np.ones((2, 3), np.int32)
    weights = np.ones(2, np.int64)
    calls = {
        "unknown_rule": lambda: aggregate("median?", ones, weights, ["a", "b"], 1),
        "wrong_shape": lambda: aggregate("mean", ones, weights, ["a"], 1),
        "duplicate_gateway": lambda: aggregate("mean", ones, weights, ["a", "a"], 1),
        "wrong_weight": lambda: aggregate("mean", ones, weights << 31, ["a", "b"], 1),
        "wrong_norm_bound": lambda: aggregate("mean", ones, weights, ["a", "b"], 0),
    }
    calls[code]()


@pytest.mark.parametrize(
    "code", ["unknown_rule", "wrong_shape", "duplicate_gateway", "wrong_weight", "wrong_norm_bound"]
)
def test_what_cannot_be_aggregated_is_refused(code: str) -> None:
    with pytest.raises(Rejected) as refused:
        call(code)
    assert refused.value.code == code


def test_weights_below_one_and_other_types_are_refused() -> None:
    ones = np.ones((1, 3), np.int32)
    with pytest.raises(Rejected, match="wrong_weight"):
        aggregate("mean", ones, np.zeros(1, np.int64), ["a"], 1)
    with pytest.raises(Rejected, match="wrong_shape"):
        aggregate("mean", ones.astype(np.int16), np.ones(1, np.int64), ["a"], 1)


@given(st.lists(INT32, min_size=4, max_size=4), st.lists(INT32, min_size=2, max_size=2))
def test_applying_saturates_and_touches_only_what_is_shared(model: list[int], change: list[int]) -> None:
    after = apply_aggregate(np.array(model, np.int32), np.array(change, np.int32), np.array([1, 3]))
    wanted = [model[0], model[1] + change[0], model[2], model[3] + change[1]]
    assert [int(value) for value in after] == [max(-LARGEST, min(LARGEST, value)) for value in wanted]
