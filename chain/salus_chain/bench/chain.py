"""All measurements of `salus bench chain`, in one run on one machine."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, TypeAlias

from rich import box
from rich.table import Table

from salus_chain.bench import aggregation, latency, outage, people, robustness, rounds, throughput
from salus_chain.bench.network import LocalNetwork
from salus_chain.genesis import Policy

VALIDATORS: Final = 4
GATEWAYS: Final = 30
PARAMETERS: Final = 10_000

Figures: TypeAlias = dict[str, float]
Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of everything is measured."""

    transactions: int  # of the latency
    consents: int  # of the sustained rate
    commits: int
    kills: int
    outages: int
    rounds: int


FULL: Final = Effort(transactions=300, consents=20_000, commits=1_000, kills=5, outages=3, rounds=3)
QUICK: Final = Effort(transactions=40, consents=2_000, commits=200, kills=1, outages=1, rounds=1)


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures by key, and the tables of aggregation."""

    figures: Figures
    timings: tuple[aggregation.Timing, ...]
    robustness: tuple[robustness.Robustness, ...]


def measure(effort: Effort, say: Say) -> Measured:
    """Everything, in one run. Raises ChainError when the network does not do its part."""
    with tempfile.TemporaryDirectory(prefix="salus-bench-") as made:
        figures = asyncio.run(_network(Path(made), effort, say))
    say("aggregation under each rule, and what liars move")
    timings = aggregation.measure()
    figures["aggregate_1000_ms"] = next(
        row.aggregate_ms for row in timings if (row.rule, row.n, row.values) == ("clipped_mean", 1_000, "usual")
    )
    return Measured(figures, timings, robustness.measure())


async def _network(folder: Path, effort: Effort, say: Say) -> Figures:
    policy = Policy(max_gateways=10_000, min_duration_ms=100)
    with LocalNetwork(folder, VALIDATORS, policy=policy) as network:
        say(f"{VALIDATORS} validators start")
        await network.ready()
        hospitals = people.hospitals(network)
        figures: Figures = {"validators": VALIDATORS, "fdatasync_p50_ms": latency.fdatasync_ms(folder)}

        say(f"latency of {effort.transactions} transactions, one at a time")
        async with network.client() as client:
            nonce = await client.next_nonce(hospitals[0].key)
        single = await asyncio.to_thread(latency.measure, network, hospitals[0], nonce, effort.transactions)
        figures |= {"settle_p50_ms": single.p50_ms, "settle_p95_ms": single.p95_ms}

        say(f"the proposer is killed, {effort.kills} times")
        figures["leader_gap_s"] = await outage.leader_gap_s(network, hospitals[0], effort.kills)
        say(f"two of four are killed and come back, {effort.outages} times")
        figures["resume_s"] = await outage.resume_s(network, hospitals[3], effort.outages)

        say(f"{effort.rounds} rounds of {GATEWAYS} gateways")
        gateways = people.gateways(GATEWAYS, VALIDATORS)
        shape = await rounds.prepare(network, hospitals, gateways, PARAMETERS)
        settled = await rounds.settled(network, gateways, shape, effort.rounds)
        figures |= {
            "round_settle_ms": settled.settle_ms,
            "round_chain_bytes": settled.chain_bytes,
            "round_disk_bytes": settled.disk_bytes,
            "verify_ms": settled.verify_ms,
            "audit_ms": settled.audit_ms,
            "proof_bytes": settled.proof_bytes,
        }

        say(f"{effort.consents} transactions in batches")
        async with network.client() as client:
            nonces = [await client.next_nonce(hospital.key) for hospital in hospitals]
        rate = await throughput.measure(network, throughput.consents(hospitals, nonces, effort.consents))
        figures |= {"tx_per_s": rate.per_s, "tx_bytes": rate.tx_bytes}

        say(f"{effort.commits} commits with receipts")
        many = people.gateways(effort.commits, VALIDATORS, prefix="crowd")
        await rounds.enrol(network, hospitals, many)
        commits = await rounds.commits(network, hospitals, many, shape)
        figures |= {"commit_per_s": commits.per_s, "commit_bytes": commits.tx_bytes}
        return figures


ROWS: Final[tuple[tuple[str, str, str], ...]] = (
    ("settle_p50_ms", "submit → final, p50", "{:.1f} ms"),
    ("settle_p95_ms", "submit → final, p95", "{:.1f} ms"),
    ("fdatasync_p50_ms", "one fdatasync of this disk, p50", "{:.2f} ms"),
    ("tx_per_s", "transactions/s, one signature", "{:,.0f}"),
    ("commit_per_s", "commits/s, three signatures", "{:,.0f}"),
    ("leader_gap_s", "proposer killed → next final", "{:.2f} s"),
    ("resume_s", "2 of 4 killed, started → next final", "{:.2f} s"),
    ("round_settle_ms", "round's deadline → settled, 30 gateways", "{:.0f} ms"),
    ("round_chain_bytes", "bytes on chain of that round", "{:,.0f}"),
    ("round_disk_bytes", "bytes on one validator's disk", "{:,.0f}"),
    ("verify_ms", "light client verifies its settlement", "{:.1f} ms"),
    ("audit_ms", "auditor verifies it in pure Python", "{:.0f} ms"),
    ("aggregate_1000_ms", "clipped_mean of 1,000 × 10,000", "{:.0f} ms"),
)


def tables(measured: Measured) -> tuple[Table, ...]:
    """The figures for a person."""
    figures = measured.figures
    made = Table(title=f"{figures['validators']} validators, processes of this machine", box=box.SIMPLE_HEAD)
    made.add_column("what")
    made.add_column("figure", justify="right")
    for key, what, form in ROWS:
        made.add_row(what, form.format(figures[key]))
    return made, _aggregation(measured.timings), _robustness(measured.robustness)


def _aggregation(timings: Sequence[aggregation.Timing]) -> Table:
    made = Table(title=f"Aggregating updates of {PARAMETERS:,} numbers, ms", box=box.SIMPLE_HEAD)
    for heading in ("rule", "updates", "values", "aggregate", "with verification", "report", "peak MB"):
        made.add_column(heading, justify="left" if heading in ("rule", "values") else "right")
    for row in timings:
        numbers = (row.aggregate_ms, row.verify_ms, row.report_ms, row.peak_mb)
        made.add_row(row.rule, f"{row.n:,}", row.values, *(f"{number:,.1f}" for number in numbers))
    return made


def _robustness(rows: Sequence[robustness.Robustness]) -> Table:
    made = Table(title="How far a liar moves the aggregate, in lengths of the honest mean", box=box.SIMPLE_HEAD)
    for heading in ("rule", "cost without one", *rows[0].moved):
        made.add_column(heading, justify="left" if heading == "rule" else "right")
    for row in rows:
        made.add_row(row.rule, *(f"{number / 1_000:.3f}" for number in (row.cost, *row.moved.values())))
    return made


def to_json(measured: Measured) -> str:
    """The figures for a program."""
    rows = {
        "aggregation": [asdict(row) for row in measured.timings],
        "robustness": [asdict(row) for row in measured.robustness],
    }
    return json.dumps(measured.figures | rows, indent=2) + "\n"
