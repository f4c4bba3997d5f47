"""What a liar does to an aggregate under each rule, and what each rule costs when nobody lies.

The experiment: twenty gateways whose patients differ. All updates share a direction (block 0 of the coordinates);
each gateway's patients show one of four classes besides, which moves that class's block; and every update has
noise of its own. One gateway of 20, or four that collude, then lie. All is drawn in integers from a seed, so the
figures are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from salus_chain.aggregation.aggregate import aggregate
from salus_chain.aggregation.exact import Int64s, norm
from salus_chain.aggregation.registry import RULES, read_rule
from salus_chain.fixed import Int32s

GATEWAYS: Final = 20
SIZE: Final = 1_000
BLOCKS: Final = 5  # one shared, four of a class each
SIGNAL: Final = 1 << 18  # of a coordinate, at most, at 2^-24
NOISE: Final = 1 << 17
NORM_BOUND: Final = 5_600_000  # just above the honest norms, at 2^-24
SEED: Final = 7
WEIGHTS: Final = tuple(1 if gateway == 0 else 2 + 5 * gateway % 14 for gateway in range(GATEWAYS))
PARAMETERS: Final = {"trimmed_mean": (("rule_beta_per_mille", 200),), "multi_krum": (("rule_byzantine", 4),)}
HONEST_SCORE: Final = 950
LIAR_SCORE: Final = 50  # of the hospital that noticed


def _scaled(rows: Int64s, liars: slice) -> Int64s:
    return rows[liars] * 1_000


def _flipped(rows: Int64s, liars: slice) -> Int64s:
    return -rows[liars]


def _flipped_long(rows: Int64s, liars: slice) -> Int64s:
    return -1_000 * rows[liars]


def _against(rows: Int64s, liars: slice) -> Int64s:
    """All the same: ten times the others' sum, backwards."""
    return np.repeat(-10 * rows[liars.stop :].sum(axis=0, keepdims=True) // GATEWAYS, liars.stop, axis=0)


@dataclass(frozen=True, slots=True)
class Attack:
    """What the first `liars` gateways send in place of their updates (n, d)."""

    name: str
    liars: int
    send: Callable[[Int64s, slice], Int64s]


ATTACKS: Final = (
    Attack("x 1000", 1, _scaled),
    Attack("x -1", 1, _flipped),
    Attack("x -1000", 1, _flipped_long),
    Attack("4 collude", 4, _against),
)


@dataclass(frozen=True, slots=True)
class Robustness:
    """Of one rule, in per mille of the length of the honest weighted mean.

    `cost` is how far its aggregate lies from that mean when nobody lies; `moved` how far each attack moves it
    from where it was.
    """

    rule: str
    cost: int
    moved: dict[str, int]


def measure() -> tuple[Robustness, ...]:
    """Every rule under every attack."""
    honest = updates()
    unit = norm(_combine("mean", honest, 0))
    return tuple(_measure(rule, honest, unit) for rule in RULES)


def _measure(rule: str, honest: Int64s, unit: int) -> Robustness:
    quiet = _combine(rule, honest, 0)
    moved = {}
    for attack in ATTACKS:
        liars, lied = slice(0, attack.liars), honest.copy()
        lied[liars] = attack.send(honest, liars)
        moved[attack.name] = 1_000 * norm(_combine(rule, lied, attack.liars) - quiet) // unit
    return Robustness(rule, 1_000 * norm(quiet - _combine("mean", honest, 0)) // unit, moved)


def updates() -> Int64s:
    """What the gateways learned, int64 (GATEWAYS, SIZE) at 2^-24."""
    rng, width = np.random.default_rng(SEED), SIZE // BLOCKS
    pattern = rng.integers(-SIGNAL, SIGNAL, SIZE)
    rows: Int64s = rng.integers(-NOISE, NOISE, (GATEWAYS, SIZE))
    for gateway in range(GATEWAYS):
        own = (1 + gateway % (BLOCKS - 1)) * width
        rows[gateway, :width] += pattern[:width]
        rows[gateway, own : own + width] += 2 * pattern[own : own + width]
    return rows


def _combine(name: str, rows: Int64s, liars: int) -> Int64s:
    fixed: Int32s = np.clip(rows, -(1 << 31), (1 << 31) - 1).astype(np.int32)
    scores = [LIAR_SCORE if row < liars else HONEST_SCORE for row in range(GATEWAYS)]
    rule = read_rule(name, NORM_BOUND, PARAMETERS.get(name, ()))
    names = [f"gateway-{row:02}" for row in range(GATEWAYS)]
    return aggregate(rule, fixed, np.array(WEIGHTS, np.int64), names, scores)[0].astype(np.int64)
