"""The figures of a scenario, in one line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.chain.system.audit import Audited
from tests.chain.system.breakable import BreakableNetwork
from tests.chain.system.load import Confirmed


@dataclass(frozen=True, slots=True)
class Figures:
    """Latencies are from a client's submit to its hearing of finality, fail-over included; times without a quorum
    are not counted in them.
    """

    scenario: str
    validators: int
    blocks: int
    transactions: int
    rounds_settled: int
    p50_s: float
    p95_s: float
    max_s: float
    gap_s: float  # the longest without any transaction reported final
    round_changes: int
    kills: int
    restarts: int
    pauses: int
    cuts: int
    resume_s: tuple[float, ...] = field(default=())  # after more than f were down, from their return to a final one

    def __str__(self) -> str:
        resumed = ", ".join(f"{each:.2f}" for each in self.resume_s)
        return (
            f"{self.scenario}: {self.validators} validators, {self.transactions} transactions in {self.blocks} blocks,"
            f" {self.rounds_settled} rounds settled; final after p50 {self.p50_s * 1_000:.0f} ms,"
            f" p95 {self.p95_s * 1_000:.0f} ms, max {self.max_s:.2f} s; longest gap {self.gap_s:.2f} s;"
            f" {self.round_changes} round changes, {self.kills} kills, {self.restarts} restarts,"
            f" {self.pauses} pauses, {self.cuts} cut connections"
            + (f"; went on {resumed} s after more than f were down" if resumed else "")
        )


def figures(
    scenario: str,
    network: BreakableNetwork,
    audited: Audited,
    confirmed: Sequence[Confirmed],
    rounds_settled: int = 0,
    resume_s: Sequence[float] = (),
) -> Figures:
    times = sorted(each.at_s for each in confirmed)
    waits = [(each.at_s - each.latency_s, each.at_s) for each in confirmed]
    latencies = sorted(_counted(network, waits))
    return Figures(
        scenario,
        len(network.seats),
        len(audited.chain),
        len(confirmed),
        rounds_settled,
        _percentile(latencies, 0.5),
        _percentile(latencies, 0.95),
        latencies[-1],
        max(_counted(network, pairwise(times)), default=0.0),
        audited.round_changes,
        network.kills,
        network.restarts,
        network.pauses,
        network.proxies.cuts,
        tuple(resume_s),
    )


def _counted(network: BreakableNetwork, spans: Iterable[tuple[float, float]]) -> list[float]:
    """How long each span is that no time without a quorum touches."""
    return [
        end - start
        for start, end in spans
        if not any(start < returned_s and struck_s < end for struck_s, returned_s in network.outages)
    ]


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
