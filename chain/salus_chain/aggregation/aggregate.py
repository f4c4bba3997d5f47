"""Aggregation in exact integers: every validator gets the same bytes, in any order of the updates.

`mean` is FedAvg's weighted mean (McMahan et al., arXiv 1602.05629); `clipped_mean` first scales every update
whose L2 norm exceeds the bound down to it (norm clipping, Sun et al., arXiv 1911.07963).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from salus_chain.errors import Rejected
from salus_chain.fixed import Int32s

Int64s = NDArray[np.int64]
MAX_WEIGHT_SUM: Final = (1 << 32) - 1  # weights below this keep every sum of products inside int64
MAX_NORM_BOUND: Final = (1 << 31) - 1
LARGEST: Final = (1 << 31) - 1  # |w| < 128 on the 2^-24 grid


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one gateway's update. `norm` is the floor of its L2 norm, at 2^-24."""

    gateway: str
    weight: int
    norm: int
    clipped: bool


@dataclass(frozen=True, slots=True)
class Report:
    """Who took part in an aggregate and who was clipped, sorted by gateway."""

    rule: str
    total_weight: int
    rows: tuple[Row, ...]


Rule: TypeAlias = Callable[[Int32s, Int64s, Sequence[int], int], tuple[Int32s, list[bool]]]


def aggregate(
    rule: str, updates: Int32s, weights: Int64s, gateways: Sequence[str], norm_bound: int
) -> tuple[Int32s, Report]:
    """Combine updates int32 (n, d) with weights int64 (n,) into one int32 (d,).

    `gateways` names the rows; `norm_bound` is at 2^-24. Raises Rejected `unknown_rule`, `wrong_shape`,
    `duplicate_gateway`, `wrong_weight` or `wrong_norm_bound`.
    """
    _check(rule, updates, weights, gateways, norm_bound)
    order = sorted(range(len(gateways)), key=lambda row: gateways[row])
    updates, weights = updates[order], weights[order]
    norms = [isqrt(squared_norm(update)) for update in updates]
    values, clipped = RULES[rule](updates, weights, norms, norm_bound)
    rows = tuple(
        Row(gateways[row], int(weight), norm, cut)
        for row, weight, norm, cut in zip(order, weights, norms, clipped, strict=True)
    )
    return values, Report(rule, sum(row.weight for row in rows), rows)


def apply_aggregate(model: Int32s, aggregated: Int32s, indices: NDArray[np.int64]) -> Int32s:
    """model' = saturate(model + aggregate) at the flat positions `indices` (d,); the rest stays."""
    changed = model.astype(np.int64)
    changed[indices] += aggregated
    return np.clip(changed, -LARGEST, LARGEST).astype(np.int32)


def squared_norm(update: Int32s) -> int:
    """The exact sum of squares, by 16-bit limbs: int64 alone wraps at d = 2 for the largest values."""
    size = np.abs(update.astype(np.int64))
    high, low = size >> 16, size & 0xFFFF
    return (int(high @ high) << 32) + (int(high @ low) << 17) + int(low @ low)


def divide(numerators: Int64s, denominator: int) -> Int64s:
    """Elementwise quotient, rounded half to even; the denominator is positive and below 2^62."""
    quotient, remainder = np.divmod(numerators, denominator)
    twice = 2 * remainder
    up = (twice > denominator) | ((twice == denominator) & (quotient & 1 == 1))
    rounded: Int64s = quotient + up
    return rounded


def _mean(updates: Int32s, weights: Int64s, norms: Sequence[int], norm_bound: int) -> tuple[Int32s, list[bool]]:
    return _weighted_mean(updates, weights), [False] * len(norms)


def _clipped_mean(updates: Int32s, weights: Int64s, norms: Sequence[int], norm_bound: int) -> tuple[Int32s, list[bool]]:
    clipped = [norm > norm_bound for norm in norms]
    bounded = updates.copy()
    for row, cut in enumerate(clipped):
        if cut:
            bounded[row] = divide(updates[row].astype(np.int64) * norm_bound, norms[row])
    return _weighted_mean(bounded, weights), clipped


def _weighted_mean(updates: Int32s, weights: Int64s) -> Int32s:
    total = np.zeros(updates.shape[1], np.int64)
    for update, weight in zip(updates, weights, strict=True):
        total += update * weight
    return divide(total, int(weights.sum())).astype(np.int32)


RULES: Final[dict[str, Rule]] = {"mean": _mean, "clipped_mean": _clipped_mean}


def _check(rule: str, updates: Int32s, weights: Int64s, gateways: Sequence[str], norm_bound: int) -> None:
    if rule not in RULES:
        raise Rejected("unknown_rule", f"rule {rule!r} is not one of {', '.join(RULES)}")
    rows = len(gateways)
    if updates.ndim != 2 or updates.shape[0] != rows or weights.shape != (rows,) or not rows:
        raise Rejected("wrong_shape", f"updates {updates.shape}, weights {weights.shape}, {rows} gateways do not fit")
    if updates.dtype != np.int32 or weights.dtype != np.int64:
        raise Rejected("wrong_shape", f"updates are {updates.dtype}, weights {weights.dtype}: int32, int64 wanted")
    if len(set(gateways)) != rows:
        raise Rejected("duplicate_gateway", "one update of each gateway counts, no more")
    if min(weights) < 1 or sum(map(int, weights)) > MAX_WEIGHT_SUM:
        raise Rejected("wrong_weight", "weights are positive and their sum is below 2^32")
    if not 0 < norm_bound <= MAX_NORM_BOUND:
        raise Rejected("wrong_norm_bound", f"norm bound {norm_bound} is not of 1 to {MAX_NORM_BOUND} (at 2^-24)")
