"""What the tests of a run said, test by test."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pytest import TestReport

Outcome = Literal["passed", "failed", "skipped"]


@dataclass(slots=True)
class Sample:
    """One look at a wearable's statistics. `latency` counts inferences by power of two of microseconds."""

    at_s: float
    latency: list[int]
    arena_bytes: int
    heap_low_bytes: int
    stack_low_bytes: int
    ring_high_packets: int
    features: int


@dataclass(slots=True)
class Result:
    """One test on one wearable."""

    nodeid: str
    outcome: Outcome = "passed"
    seconds: float = 0.0
    why: str = ""
    wearable: str = ""
    log: str = ""
    samples: list[Sample] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The claim, in words."""
        return self.nodeid.rsplit("::", 1)[-1].removeprefix("test_").replace("_", " ")


@dataclass(slots=True)
class Collected:
    """All tests so far, in the order in which they ran."""

    rig: str
    began: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    results: dict[str, Result] = field(default_factory=dict)

    def add(self, report: TestReport) -> None:
        """One phase (setup, call, teardown) of one test."""
        result = self.results.setdefault(report.nodeid, Result(report.nodeid))
        result.seconds += report.duration
        if report.outcome != "passed" and result.outcome != "failed":
            result.outcome, result.why = report.outcome, _why(report)
        for name, value in report.user_properties if report.when == "teardown" else []:
            if name == "salus":
                facts = json.loads(str(value))
                result.wearable, result.log = facts["wearable"], facts["log"]
                result.samples = [Sample(**each) for each in facts["samples"]]

    def count(self, outcome: Outcome) -> int:
        return sum(each.outcome == outcome for each in self.results.values())

    @property
    def wearables(self) -> list[str]:
        """In order of appearance."""
        return list(dict.fromkeys(each.wearable for each in self.results.values() if each.wearable))


def _why(report: TestReport) -> str:
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr)
