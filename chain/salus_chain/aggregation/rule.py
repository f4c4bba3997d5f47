"""The nouns of aggregation: a rule with its numbers, what it combines, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from salus_chain.aggregation.exact import Int64s
from salus_chain.codec import Value, fields, identifier, integer
from salus_chain.fixed import Int32s

MAX_NORM_BOUND: Final = (1 << 31) - 1
MAX_WEIGHT_SUM: Final = (1 << 32) - 1  # weights that sum to no more keep every sum of products inside int64
NO_SCORE: Final = -1


@dataclass(frozen=True, slots=True)
class AggregationRule:
    """A rule of the registry with a round's numbers; those that a rule does not have are 0.

    `norm_bound` is the L2 bound C at 2^-24; `beta_per_mille` is trimmed at each end (trimmed_mean);
    `byzantine` gateways may lie and the best `selected` count, 0 for all but `byzantine` (multi_krum).
    """

    name: str
    norm_bound: int
    beta_per_mille: int = 0
    byzantine: int = 0
    selected: int = 0

    @property
    def numbers(self) -> dict[str, int]:
        """The parameters by name."""
        return {"beta_per_mille": self.beta_per_mille, "byzantine": self.byzantine, "selected": self.selected}

    def value(self) -> Value:
        return (self.name.encode(), self.norm_bound, self.beta_per_mille, self.byzantine, self.selected)

    @classmethod
    def read(cls, value: Value) -> AggregationRule:
        f = fields(value, 5, "rule")
        return cls(
            identifier(f[0], "rule"),
            integer(f[1], "norm_bound"),
            integer(f[2], "beta_per_mille"),
            integer(f[3], "byzantine"),
            integer(f[4], "selected"),
        )


@dataclass(frozen=True, slots=True)
class Updates:
    """What a rule combines, by gateway: `values` int32 (n, d), `weights` and `scores` of each row.

    `norms` are the floors of the L2 norms, at 2^-24. A score is per mille, attested by the gateway's hospital;
    NO_SCORE where there is none.
    """

    gateways: tuple[str, ...]
    values: Int32s
    weights: tuple[int, ...]
    scores: tuple[int, ...]
    norms: tuple[int, ...]


class Outcome(StrEnum):
    """What became of a gateway's update."""

    KEPT = "kept"
    CLIPPED = "clipped"  # its norm was above the bound; detail: what is left of it, per mille
    TRIMMED = "trimmed"  # detail: the share of its coordinates that were cut off, per mille
    NOT_SELECTED = "not_selected"  # detail: the floor of the square root of its Krum score, at 2^-24
    NO_SCORE = "no_score"  # its hospital attested nothing of it
    ZERO_SCORE = "zero_score"  # its hospital attested that it is worth nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome with its detail, a number whose meaning stands beside the outcome; else 0."""

    outcome: Outcome
    detail: int = 0


KEPT: Final = Verdict(Outcome.KEPT)


@dataclass(frozen=True, slots=True)
class Combined:
    """An aggregate int32 (d,), a verdict for each row, and the aggregate int64 (d,) without a given row.

    Where the other rows are too few for the rule, the aggregate without a row is zero: nothing would move.
    """

    values: Int32s
    verdicts: tuple[Verdict, ...]
    without: Callable[[int], Int64s]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a round gives a rule, as `rule_<name>` among its parameters; required without default."""

    low: int
    high: int
    default: int | None = None


Combine: TypeAlias = Callable[[AggregationRule, Updates], Combined]


def everyone(rule: AggregationRule, rows: int) -> int:
    """How many of so many rows most rules average."""
    return rows


def whatever(score: int) -> bool:
    """Most rules take an update without asking for its gateway's score."""
    return True


@dataclass(frozen=True, slots=True)
class Method:
    """A rule's registry entry.

    `averaged(rule, n)` of n updates make the aggregate, 0 when n are too few for the rule; an update counts
    among the n when `eligible(score)`. `combine` may assume that some are averaged.
    """

    combine: Combine
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    averaged: Callable[[AggregationRule, int], int] = everyone
    eligible: Callable[[int], bool] = whatever
