"""The ordering that the rules' papers promise, on a federation whose gateways differ."""

from __future__ import annotations

import pytest

from salus_chain.aggregation.exact import norm
from salus_chain.aggregation.registry import RULES
from salus_chain.bench.robustness import ATTACKS, NORM_BOUND, WEIGHTS, measure, updates

FIGURES = {each.rule: each for each in measure()}
ROBUST = ("median", "trimmed_mean", "multi_krum")
LONE = [attack.name for attack in ATTACKS if attack.liars == 1]


def test_the_experiment_is_as_it_says() -> None:
    assert 0.005 < WEIGHTS[0] / sum(WEIGHTS) < 0.007
    norms = [norm(row) for row in updates()]
    assert 0.85 * NORM_BOUND < min(norms) <= max(norms) <= NORM_BOUND
    assert list(FIGURES) == list(RULES)


def test_one_gateway_of_six_thousandths_moves_a_mean_anywhere() -> None:
    assert FIGURES["mean"].moved["x 1000"] > 5_000
    assert FIGURES["mean"].moved["x -1000"] > 5_000


def test_clipping_bounds_it_by_its_share_of_the_weight() -> None:
    """What it sends is worth the bound at most, so it moves the mean by twice its share of bounds."""
    quiet = updates()
    mean = sum(weight * row for weight, row in zip(WEIGHTS, quiet, strict=True)) // sum(WEIGHTS)
    most = 1_000 * 2 * NORM_BOUND * WEIGHTS[0] // sum(WEIGHTS) // norm(mean) + 2
    for attack in LONE:
        assert FIGURES["clipped_mean"].moved[attack] <= most < 60
    assert FIGURES["mean"].moved["x 1000"] > 100 * FIGURES["clipped_mean"].moved["x 1000"]


@pytest.mark.parametrize("rule", ROBUST)
def test_robust_rules_hold_against_any_length(rule: str) -> None:
    """A thousand times longer moves them hardly more than a flip: length is nothing to a rank or a distance."""
    moved = FIGURES[rule].moved
    assert max(moved[attack] for attack in LONE) < 400
    assert moved["x -1000"] <= moved["x -1"] + 100


def test_a_minority_that_colludes_moves_every_rule_less_than_the_mean() -> None:
    mean = FIGURES["mean"].moved["4 collude"]
    assert mean > 1_000
    for rule in RULES:
        assert rule == "mean" or FIGURES[rule].moved["4 collude"] < mean * 6 // 10
    assert FIGURES["multi_krum"].moved["4 collude"] < FIGURES["clipped_mean"].moved["4 collude"]


def test_robustness_costs_without_any_attack_and_clipping_does_not() -> None:
    assert FIGURES["mean"].cost == 0
    assert FIGURES["clipped_mean"].cost == 0
    assert FIGURES["trust"].cost == 0
    for rule in ROBUST:
        assert FIGURES[rule].cost > 100
    assert FIGURES["median"].cost > FIGURES["trimmed_mean"].cost


def test_a_low_score_takes_most_of_a_liars_weight() -> None:
    for attack in ("x -1", "x -1000"):
        assert 2 * FIGURES["trust"].moved[attack] < FIGURES["clipped_mean"].moved[attack]
    assert 2 * FIGURES["trust"].moved["4 collude"] < FIGURES["clipped_mean"].moved["4 collude"]


def test_the_same_figures_come_every_time() -> None:
    assert {each.rule: each for each in measure()} == FIGURES
