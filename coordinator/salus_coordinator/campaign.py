"""What a campaign does next, from what the chain shows: pure, and so restartable at any point.

A *lane* is one task id with its planned rounds. Nothing is remembered between decisions: how many rounds are
settled, which release is due and how often a round has expired all follow from the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from salus_chain.views import RoundView, TaskView
from salus_coordinator.config import RoundPlan


@dataclass(frozen=True, slots=True)
class Lane:
    """A task id, its rounds in order, whether releases follow its calibration rounds, and how it ends."""

    task: str
    rounds: tuple[RoundPlan, ...]
    releases: bool
    retries: int
    forever: bool = False

    def plan(self, number: int) -> RoundPlan | None:
        """The plan of the settled-round-count `number` (0 first); None when the campaign is over."""
        if number < len(self.rounds):
            return self.rounds[number]
        return self.rounds[-1] if self.forever and self.rounds else None

    def calibrations(self, settled: int) -> int:
        """How many of the first `settled` rounds were calibration rounds."""
        plans = (self.plan(number) for number in range(settled))
        return sum(plan is not None and plan.kind == "calibration" for plan in plans)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the chain shows of a lane: its task, its rounds in order."""

    task: TaskView | None
    rounds: tuple[RoundView, ...] = ()

    @property
    def settled(self) -> tuple[RoundView, ...]:
        return tuple(each for each in self.rounds if each.status == "settled")


@dataclass(frozen=True, slots=True)
class ApproveModel:
    """Ask the validators to take the lane's first model."""


@dataclass(frozen=True, slots=True)
class MakeRelease:
    """Requantise the model as it stands, sign, have it approved. `round` settled it; 0 is none."""

    version: int
    round: int


@dataclass(frozen=True, slots=True)
class Open:
    """Open this round by this plan. `expired` rounds with it came to nothing just before."""

    round: int
    plan: RoundPlan
    expired: int = 0

    def open_ms(self, most_ms: int) -> int:
        """How long gateways may commit: as planned, twice as long per expired round, at most what the policy allows."""
        return self._longer_ms(self.plan.open_s, most_ms)

    def settle_ms(self, most_ms: int) -> int:
        """How long validators may then take to settle, by the same rule."""
        return self._longer_ms(self.plan.settle_s, most_ms)

    def _longer_ms(self, planned_s: float, most_ms: int) -> int:
        planned_ms = round(planned_s * 1000)
        return max(planned_ms, min(planned_ms << self.expired, most_ms))


@dataclass(frozen=True, slots=True)
class Wait:
    """A round is under way: look again after the next block."""

    round: int


@dataclass(frozen=True, slots=True)
class Done:
    """The lane's rounds are settled and its releases approved."""


@dataclass(frozen=True, slots=True)
class Fail:
    """The lane cannot go on."""

    code: Literal["round_expired"]
    reason: str


Action: TypeAlias = ApproveModel | MakeRelease | Open | Wait | Done | Fail


def decide(lane: Lane, seen: Seen) -> Action:
    """The lane's next action."""
    if seen.task is None:
        return ApproveModel()
    if seen.rounds and seen.rounds[-1].status in ("open", "closed"):
        return Wait(seen.rounds[-1].round)
    settled = seen.settled
    due = 1 + lane.calibrations(len(settled))
    released = seen.task.release.version if seen.task.release else 0
    if lane.releases and released < due:
        return MakeRelease(due, settled[-1].round if settled else 0)
    plan = lane.plan(len(settled))
    if plan is None:
        return Done()
    expired = seen.task.round - (settled[-1].round if settled else 0)
    if expired > lane.retries:
        last = seen.rounds[-1]
        why = f"{last.reason}, {len(last.commits)} of {last.open.min_updates} updates"
        return Fail(
            "round_expired",
            f"task {lane.task}: round {last.round} and {expired - 1} before it expired ({why})",
        )
    return Open(seen.task.round + 1, plan, expired)


def arms_may_start(lane: Lane, seen: Seen) -> bytes | None:
    """The digest of the model that arms start from: the main lane's after its last planned calibration, once
    released.
    """
    settled, wanted = seen.settled, lane.calibrations(len(lane.rounds))
    if seen.task is None or seen.task.release is None or seen.task.release.version < 1 + wanted:
        return None
    numbers = [number for number in range(len(lane.rounds)) if lane.rounds[number].kind == "calibration"]
    if not numbers:
        return settled[0].model_before if settled else seen.task.model_digest
    return settled[numbers[-1]].model_after if len(settled) > numbers[-1] else None
