"""Many seeds, on several processes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Final, TypeAlias

from salus_chain.simulation.planning import plan
from salus_chain.simulation.trace import Trace, title
from salus_chain.simulation.world import Outcome, World

CHUNK: Final = 8  # seeds that a process takes at a time

Json: TypeAlias = "int | float | str | list[Json] | dict[str, Json]"


@dataclass(slots=True)
class Report:
    """The sum of many runs. `slowest` is the largest share of its liveness bound that a run took."""

    seeds: int = 0
    simulated_ms: int = 0
    slowest: float = 0.0
    slowest_seed: int = 0
    violations: list[Outcome] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.simulated_ms += outcome.simulated_ms
        highest = max(self.counts["highest round"], outcome.counts["highest round"])
        self.counts.update(outcome.counts)
        self.counts["highest round"] = highest
        if outcome.violation:
            self.violations.append(outcome)
        elif outcome.waited_ms > self.slowest * outcome.bound_ms:
            self.slowest, self.slowest_seed = outcome.waited_ms / outcome.bound_ms, outcome.seed

    def to_json(self, wall_s: float) -> dict[str, Json]:
        found: list[Json] = [
            {"seed": each.seed, "invariant": each.invariant, "detail": each.violation} for each in self.violations
        ]
        counts: dict[str, Json] = {name: self.counts[name] for name in sorted(self.counts)}
        return {
            "seeds": self.seeds,
            "violations": len(self.violations),
            "simulated_s": round(self.simulated_ms / 1000, 1),
            "wall_s": round(wall_s, 1),
            "slowest_share_of_bound": round(self.slowest, 3),
            "found": found,
            "counts": counts,
        }


def run(seed: int) -> Outcome:
    """One seed."""
    return World(plan(seed)).run()


def runs(first: int, seeds: int, jobs: int) -> Iterator[Outcome]:
    """Their outcomes, in order of seeds."""
    numbers = range(first, first + seeds)
    if jobs == 1:
        yield from map(run, numbers)
        return
    with get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(run, numbers, CHUNK)


def fuzz(first: int, seeds: int, jobs: int = 1) -> Report:
    """All of these seeds."""
    report = Report()
    for outcome in runs(first, seeds, jobs):
        report.add(outcome)
    return report


def replay(seed: int) -> tuple[Outcome, list[str]]:
    """A seed again, with all that happens."""
    trace = Trace()
    chosen = plan(seed)
    outcome = World(chosen, trace).run()
    last = outcome.violation or f"all held; block final {outcome.waited_ms} ms after healing"
    return outcome, [*title(chosen), *trace.lines, f"{outcome.simulated_ms / 1000:8.3f} s        {last}"]
