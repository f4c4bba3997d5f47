"""The rules a round may name, and what their parameters may be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from salus_chain.aggregation.clipped_mean import CLIPPED_MEAN
from salus_chain.aggregation.mean import MEAN
from salus_chain.aggregation.median import MEDIAN
from salus_chain.aggregation.multi_krum import MULTI_KRUM
from salus_chain.aggregation.rule import MAX_NORM_BOUND, AggregationRule, Method, Parameter
from salus_chain.aggregation.trimmed_mean import TRIMMED_MEAN
from salus_chain.aggregation.trust import TRUST
from salus_chain.errors import Rejected

PREFIX: Final = "rule_"
NONE: Final = Parameter(0, 0)
RULES: Final[dict[str, Method]] = {
    "mean": MEAN,
    "clipped_mean": CLIPPED_MEAN,
    "median": MEDIAN,
    "trimmed_mean": TRIMMED_MEAN,
    "multi_krum": MULTI_KRUM,
    "trust": TRUST,
}


def read_rule(name: str, norm_bound: int, parameters: Iterable[tuple[str, int]]) -> AggregationRule:
    """A round's rule as its opening declares it; parameters without the prefix `rule_` are not the rule's.

    Raises Rejected as `check_rule`, and `wrong_rule_parameters` for one that the rule does not know or lacks.
    """
    if name not in RULES:
        raise _unknown(name)
    given = {key.removeprefix(PREFIX): number for key, number in parameters if key.startswith(PREFIX)}
    known = RULES[name].parameters
    for key in given:
        if key not in known:
            raise Rejected("wrong_rule_parameters", f"rule {name} does not know {PREFIX}{key}; {_known(name)}")
    numbers = {}
    for key, parameter in known.items():
        number = given.get(key, parameter.default)
        if number is None:
            raise Rejected("wrong_rule_parameters", f"rule {name} needs {PREFIX}{key}; {_known(name)}")
        numbers[key] = number
    rule = AggregationRule(name, norm_bound, **numbers)
    check_rule(rule)
    return rule


def check_rule(rule: AggregationRule) -> None:
    """Raises Rejected `unknown_rule`, `wrong_norm_bound`, or `wrong_rule_parameters`: one out of its range."""
    if rule.name not in RULES:
        raise _unknown(rule.name)
    if not 0 < rule.norm_bound <= MAX_NORM_BOUND:
        raise Rejected("wrong_norm_bound", f"norm bound {rule.norm_bound} is not of 1 to {MAX_NORM_BOUND} (at 2^-24)")
    known = RULES[rule.name].parameters
    for key, number in rule.numbers.items():
        each = known.get(key, NONE)
        if not each.low <= number <= each.high:
            raise Rejected("wrong_rule_parameters", f"{PREFIX}{key} is {number}; {_known(rule.name)}")


def _unknown(name: str) -> Rejected:
    return Rejected("unknown_rule", f"rule {name!r} is not one of {', '.join(RULES)}")


def _known(name: str) -> str:
    known = RULES[name].parameters.items()
    ranges = ", ".join(f"{PREFIX}{key} from {each.low} to {each.high}" for key, each in known)
    return f"rule {name} has {ranges or 'no parameters'}"


def check_parameters(
    name: str, norm_bound: int, parameters: Iterable[tuple[str, int]], min_updates: int, least: int
) -> None:
    """What the opening of a round must satisfy, so that its updates will be enough for its rule.

    `min_updates` is the round's; `least` the policy's: an aggregate of fewer would show single updates. Raises
    Rejected as `read_rule`, and `wrong_rule_parameters` when of `min_updates` the rule averages fewer than `least`.
    """
    rule = read_rule(name, norm_bound, parameters)
    averaged = RULES[name].averaged(rule, min_updates)
    if averaged < least:
        reason = f"of {min_updates} updates rule {name} averages {averaged}, where the policy wants {least} or more"
        raise Rejected("wrong_rule_parameters", f"{reason}; raise min_updates (multi_krum needs 2 rule_byzantine + 3)")


def counted(name: str, scores: Iterable[int]) -> int:
    """How many of the updates with these scores (-1: none) the rule takes into account.

    A round that has fewer than its minimum when it closes expires as `too_few_for_rule`.
    """
    return sum(map(RULES[name].eligible, scores))
