"""The rules once more, word for word as their papers put them, in Python's own integers and fractions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt

from hypothesis import strategies as st

from salus_chain.aggregation.registry import RULES
from salus_chain.aggregation.rule import AggregationRule

Vectors = Sequence[Sequence[int]]

INT32 = st.integers(-(1 << 31), (1 << 31) - 1) | st.integers(-3, 3) | st.sampled_from([-(1 << 31), (1 << 31) - 1])
NAMES = list(RULES)


class Round:
    """A small round: rows by gateway g0, g1, …"""

    def __init__(self, rule: AggregationRule, updates: Vectors, weights: list[int], scores: list[int]) -> None:
        self.rule = rule
        self.updates = [list(update) for update in updates]
        self.weights = weights
        self.scores = scores

    @property
    def names(self) -> list[str]:
        return [f"g{row}" for row in range(len(self.weights))]

    def without(self, row: int) -> Round:
        rest = [other for other in range(len(self.weights)) if other != row]
        return Round(
            self.rule,
            [self.updates[other] for other in rest],
            [self.weights[other] for other in rest],
            [self.scores[other] for other in rest],
        )

    def __repr__(self) -> str:
        return f"Round({self.rule}, {self.updates}, {self.weights}, {self.scores})"


@st.composite
def rounds(draw: st.DrawFn, name: str, most: int = 6) -> Round:
    byzantine = draw(st.integers(0, 1)) if name == "multi_krum" else 0
    n, d = draw(st.integers(2 * byzantine + 3 if name == "multi_krum" else 1, most)), draw(st.integers(1, 5))
    updates = draw(st.lists(st.lists(INT32, min_size=d, max_size=d), min_size=n, max_size=n))
    weights = draw(st.lists(st.integers(1, 10) | st.just((1 << 32) // n - 1), min_size=n, max_size=n))
    scores = draw(st.lists(st.integers(-1, 1_000), min_size=n, max_size=n).filter(lambda scores: max(scores) > 0))
    bound = draw(st.integers(1, (1 << 31) - 1) | st.integers(1, 9))
    rule = AggregationRule(
        name,
        bound,
        beta_per_mille=draw(st.integers(0, 499)) if name == "trimmed_mean" else 0,
        byzantine=byzantine,
        selected=draw(st.integers(0, n - byzantine)) if name == "multi_krum" else 0,
    )
    return Round(rule, updates, weights, scores)


def plain(each: Round) -> list[int] | None:
    """What the round's rule makes of it; None when its updates are too few."""
    rule, updates = each.rule, each.updates
    if rule.name == "mean":
        return weighted(updates, each.weights)
    if rule.name == "clipped_mean":
        return weighted([clipped(update, rule.norm_bound) for update in updates], each.weights)
    if rule.name == "trust":
        scores = [max(score, 0) for score in each.scores]
        weights = [weight * score for weight, score in zip(each.weights, scores, strict=True)]
        return weighted([clipped(update, rule.norm_bound) for update in updates], weights)
    if rule.name == "median":
        return [median(sorted(column)) for column in zip(*updates, strict=True)] if updates else None
    if rule.name == "trimmed_mean":
        return [trimmed(sorted(column), rule.beta_per_mille) for column in zip(*updates, strict=True)] or None
    assert rule.name == "multi_krum"
    chosen = krum(updates, rule)
    return weighted([updates[row] for row in chosen], [1] * len(chosen))


def length(update: Sequence[int]) -> int:
    return isqrt(sum(value * value for value in update))


def clipped(update: Sequence[int], bound: int) -> list[int]:
    """Python's round() is half to even."""
    norm = length(update)
    return [round(Fraction(value * bound, norm)) for value in update] if norm > bound else list(update)


def weighted(updates: Vectors, weights: Sequence[int]) -> list[int] | None:
    total = sum(weights)
    if not total:
        return None
    columns = zip(*updates, strict=True)
    return [round(Fraction(sum(w * v for w, v in zip(weights, column, strict=True)), total)) for column in columns]


def median(column: list[int]) -> int:
    middle = len(column) // 2
    return column[middle] if len(column) % 2 else round(Fraction(column[middle - 1] + column[middle], 2))


def trimmed(column: list[int], beta_per_mille: int) -> int:
    cut = beta_per_mille * len(column) // 1_000
    kept = column[cut : len(column) - cut]
    return round(Fraction(sum(kept), len(kept)))


def krum_score(updates: Vectors, row: int, byzantine: int) -> int:
    distances = sorted(
        sum((left - right) ** 2 for left, right in zip(updates[row], other, strict=True))
        for at, other in enumerate(updates)
        if at != row
    )
    return sum(distances[: len(updates) - byzantine - 2])


def krum(updates: Vectors, rule: AggregationRule) -> list[int]:
    """The chosen rows; none when there are too few updates."""
    n, count = len(updates), rule.selected or len(updates) - rule.byzantine
    if n < 2 * rule.byzantine + 3 or count > n - rule.byzantine:
        return []
    return sorted(range(n), key=lambda row: (krum_score(updates, row, rule.byzantine), row))[:count]
