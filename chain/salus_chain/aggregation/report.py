"""What a settlement did with each gateway's update: recomputable by anyone who holds the updates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from salus_chain.aggregation.rule import NO_SCORE, AggregationRule, Outcome
from salus_chain.codec import Value, fields, identifier, integer, items, text
from salus_chain.errors import DecodeError

LEAST_COSINE: Final = -1_000


@dataclass(frozen=True, slots=True)
class Contribution:
    """What a gateway's update changed: the aggregate less the aggregate without it.

    `influence` is the floor of that difference's L2 norm, at 2^-24. `alignment` is 1000 times the cosine
    between it and the aggregate, towards zero: below 0, the others alone would have gone further that way.
    """

    influence: int
    alignment: int


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one gateway's update.

    `weight` is its patients, `score` its hospital's attestation per mille (-1: none), `norm` the floor of its
    L2 norm at 2^-24. What `detail` says of an outcome stands in `Outcome`.
    """

    gateway: str
    weight: int
    score: int
    norm: int
    outcome: Outcome
    detail: int
    contribution: Contribution | None = None

    @property
    def clipped(self) -> bool:
        return self.outcome is Outcome.CLIPPED

    def value(self) -> Value:
        known = self.contribution
        return (
            self.gateway.encode(),
            self.weight,
            self.score,
            self.norm,
            self.outcome.encode(),
            self.detail,
            () if known is None else (known.influence, known.alignment),
        )

    @classmethod
    def read(cls, value: Value) -> Row:
        f = fields(value, 7, "row")
        try:
            outcome = Outcome(text(f[4], "outcome", 64))
        except ValueError as error:
            raise DecodeError(f"row: {error}") from None
        return cls(
            identifier(f[0], "gateway"),
            integer(f[1], "weight"),
            integer(f[2], "score", NO_SCORE),
            integer(f[3], "norm"),
            outcome,
            integer(f[5], "detail"),
            None if f[6] == () else _contribution(f[6]),
        )


def _contribution(value: Value) -> Contribution:
    influence, alignment = fields(value, 2, "contribution")
    return Contribution(integer(influence, "influence"), integer(alignment, "alignment", LEAST_COSINE, 1_000))


@dataclass(frozen=True, slots=True)
class Report:
    """Who took part in an aggregate, who was clipped or left out and why, sorted by gateway."""

    rule: AggregationRule
    total_weight: int
    rows: tuple[Row, ...]

    def value(self) -> Value:
        return (self.rule.value(), self.total_weight, tuple(row.value() for row in self.rows))

    @classmethod
    def read(cls, value: Value) -> Report:
        """Raises DecodeError."""
        rule, total_weight, rows = fields(value, 3, "report")
        return cls(AggregationRule.read(rule), integer(total_weight, "total_weight"), items(rows, Row.read, "rows"))

    def with_contributions(self, contributions: tuple[Contribution, ...]) -> Report:
        """The same with a contribution for each row."""
        rows = zip(self.rows, contributions, strict=True)
        return replace(self, rows=tuple(replace(row, contribution=each) for row, each in rows))
