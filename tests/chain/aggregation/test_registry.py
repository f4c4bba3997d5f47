from __future__ import annotations

import pytest

from salus_chain.aggregation.registry import RULES, check_parameters, counted, read_rule
from salus_chain.aggregation.rule import AggregationRule
from salus_chain.errors import Rejected


def refusal(name: str, *parameters: tuple[str, int], bound: int = 1, min_updates: int = 3, least: int = 3) -> str:
    with pytest.raises(Rejected) as refused:
        check_parameters(name, bound, parameters, min_updates, least)
    return refused.value.code


def test_these_are_the_rules() -> None:
    assert list(RULES) == ["mean", "clipped_mean", "median", "trimmed_mean", "multi_krum", "trust"]


def test_a_rule_is_read_from_a_rounds_parameters_and_leaves_the_others_alone() -> None:
    others = (("epochs", 2), ("lr", 5))
    assert read_rule("mean", 7, others) == AggregationRule("mean", 7)
    beta = (("rule_beta_per_mille", 499),)
    assert read_rule("trimmed_mean", 7, others + beta) == AggregationRule("trimmed_mean", 7, beta_per_mille=499)
    krum = (("rule_byzantine", 2), ("rule_selected", 3))
    assert read_rule("multi_krum", 7, krum[:1]) == AggregationRule("multi_krum", 7, byzantine=2)
    assert read_rule("multi_krum", 7, krum) == AggregationRule("multi_krum", 7, byzantine=2, selected=3)


def test_a_wrong_rule_bound_or_parameter_is_refused() -> None:
    assert refusal("best", ("rule_x", 1)) == "unknown_rule"
    assert refusal("mean", bound=0) == "wrong_norm_bound"
    assert refusal("mean", bound=1 << 31) == "wrong_norm_bound"
    assert refusal("mean", ("rule_byzantine", 1)) == "wrong_rule_parameters"
    assert refusal("trimmed_mean") == "wrong_rule_parameters"
    assert refusal("trimmed_mean", ("rule_beta_per_mille", 500)) == "wrong_rule_parameters"
    assert refusal("trimmed_mean", ("rule_beta_per_mille", -1)) == "wrong_rule_parameters"
    assert refusal("multi_krum", min_updates=9) == "wrong_rule_parameters"
    assert refusal("multi_krum", ("rule_byzantine", -1), min_updates=9) == "wrong_rule_parameters"
    below = (("rule_byzantine", 1), ("rule_selected", -1))
    assert refusal("multi_krum", *below, min_updates=9) == "wrong_rule_parameters"


def test_a_refusal_says_what_the_rule_takes() -> None:
    with pytest.raises(Rejected, match=r"needs rule_beta_per_mille; rule trimmed_mean has .* from 0 to 499"):
        read_rule("trimmed_mean", 1, ())
    with pytest.raises(Rejected, match="does not know rule_beta; rule median has no parameters"):
        read_rule("median", 1, (("rule_beta", 1),))


def test_a_round_that_could_close_with_too_few_for_its_rule_is_not_opened() -> None:
    one = ("rule_byzantine", 1)
    check_parameters("multi_krum", 1, (one,), 5, 3)
    assert refusal("multi_krum", one, min_updates=4) == "wrong_rule_parameters"
    check_parameters("multi_krum", 1, (one, ("rule_selected", 3)), 5, 3)
    assert refusal("multi_krum", one, ("rule_selected", 2), min_updates=5) == "wrong_rule_parameters"
    assert refusal("multi_krum", one, ("rule_selected", 5), min_updates=5) == "wrong_rule_parameters"
    assert refusal("multi_krum", one, min_updates=5, least=5) == "wrong_rule_parameters"
    check_parameters("multi_krum", 1, (one,), 6, 5)
    check_parameters("median", 1, (), 1, 1)


def test_only_trust_asks_for_scores() -> None:
    scores = [-1, 0, 1, 1_000]
    assert {name: counted(name, scores) for name in RULES} == {**dict.fromkeys(RULES, 4), "trust": 2}
