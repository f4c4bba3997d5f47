"""How long a round's aggregate takes under each rule: alone, and as a validator recomputes it from the files."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np

from salus_chain.aggregation.aggregate import aggregate, explain
from salus_chain.aggregation.registry import PREFIX, RULES, read_rule
from salus_chain.fixed import Int32s
from salus_chain.layout import Layout, Variable
from salus_chain.node.settling.settler import recompute
from salus_chain.rules.state import NO_RELEASE, CommitEntry, Round, RoundStatus, Task
from salus_chain.rules.transactions import OpenRound
from salus_chain.updates import UpdateDigest, UpdateHeader, encode_model, encode_update, model_digest, update_digest

COUNTS: Final = (30, 1_000)
SIZE: Final = 10_000
NORM_BOUND: Final = 1 << 25  # C = 2
MEGABYTE: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Timing:
    """The best of several runs of `rule` over int32 (n, d).

    `values` says what: `usual` updates are of norms about the bound, `extreme` ones fill int32. `verify_ms` is
    what a validator does: check every file's digest, decode, aggregate, apply, digest the model. `report_ms` is
    the report with contributions, made after signing. `peak_mb` is what aggregating holds beside the updates.
    """

    rule: str
    n: int
    d: int
    values: str
    aggregate_ms: float
    verify_ms: float
    report_ms: float
    peak_mb: float


def measure(counts: Sequence[int] = COUNTS, d: int = SIZE, repeats: int = 3) -> tuple[Timing, ...]:
    """Every rule, for each number of updates, on usual and on extreme values."""
    return tuple(
        _measure(rule, values, n, d, repeats) for n in counts for values in ("usual", "extreme") for rule in RULES
    )


def _measure(name: str, values: str, n: int, d: int, repeats: int) -> Timing:
    updates = extreme(n, d) if values == "extreme" else usual(n, d)
    parameters = rule_parameters(name, n)
    rule = read_rule(name, NORM_BOUND, parameters)
    weights, scores = np.arange(1, n + 1, dtype=np.int64), [1_000 - row % 500 for row in range(n)]
    gateways = [f"gateway-{row:06}" for row in range(n)]
    task, each, model, files = _round(name, parameters, updates, gateways, scores)

    def verify() -> None:
        assert all(sha256(data).digest() == digest for digest, data in files.items())
        recompute(task, each, model, files)

    return Timing(
        name,
        n,
        d,
        values,
        _best_ms(lambda: aggregate(rule, updates, weights, gateways, scores), repeats),
        _best_ms(verify, repeats),
        _best_ms(lambda: explain(rule, updates, weights, gateways, scores), repeats),
        _peak_mb(lambda: aggregate(rule, updates, weights, gateways, scores)),
    )


def rule_parameters(name: str, n: int) -> tuple[tuple[str, int], ...]:
    """A tenth trimmed at each end; a fifth of the gateways Byzantine."""
    known = {"trimmed_mean": {"beta_per_mille": 100}, "multi_krum": {"byzantine": max(0, min(n // 5, (n - 3) // 2))}}
    return tuple((PREFIX + key, number) for key, number in known.get(name, {}).items())


def usual(n: int, d: int) -> Int32s:
    """Updates that half agree, of norms about NORM_BOUND."""
    rng = np.random.default_rng(n)
    scale = NORM_BOUND / np.sqrt(2 * d)
    values = scale * (rng.standard_normal(d) + rng.standard_normal((n, d)))
    fixed: Int32s = np.rint(values).astype(np.int32)
    return fixed


def extreme(n: int, d: int) -> Int32s:
    """Every value anywhere in int32: what an attacker would send to slow a settlement down."""
    return np.random.default_rng(n).integers(-(1 << 31), 1 << 31, (n, d), dtype=np.int32)


def _round(
    name: str, parameters: tuple[tuple[str, int], ...], updates: Int32s, gateways: list[str], scores: list[int]
) -> tuple[Task, Round, bytes, dict[UpdateDigest, bytes]]:
    """A closed round over these updates, the model before it, and the updates' files by digest."""
    n, d = updates.shape
    layout = Layout((Variable("head/kernel", (d,), "head"),))
    model = np.zeros(d, np.int32)
    before = model_digest(layout.digest, model)
    task = Task("bench", 1, 1, layout.to_json(), bytes(32), before, NO_RELEASE)
    opened = OpenRound(
        task="bench",
        round=1,
        kind="feature",
        base_sha256=bytes(32),
        program_digest=bytes(32),
        variables=("head/kernel",),
        algorithm="fedavg",
        parameters=parameters,
        rule=name,
        norm_bound=NORM_BOUND,
        min_updates=1,
        w_max=n,
        deadline_ms=1,
        settle_deadline_ms=2,
    )
    files, commits = {}, []
    for row, gateway in enumerate(gateways):
        header = UpdateHeader(bytes(32), "bench", 1, gateway, before, layout.digest, row + 1, d)
        data = encode_update(header, updates[row])
        files[update_digest(data)] = data
        commits.append(CommitEntry(gateway, update_digest(data), row + 1, scores[row], ()))
    each = Round(opened, RoundStatus.CLOSED, layout.digest, d, before, 1, 2, commits=tuple(commits))
    return task, each, encode_model(layout.digest, model), files


def _best_ms(call: Callable[[], object], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        taken.append((time.perf_counter() - begin) * 1_000)
    return min(taken)


def _peak_mb(call: Callable[[], object]) -> float:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / MEGABYTE
    finally:
        tracemalloc.stop()
