"""Which approvals and settlements led a task's model to where it stands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from salus_chain.rules.state import Round, Task
from salus_chain.rules.transactions import ApproveModel, Settle


@dataclass(frozen=True, slots=True)
class Approved:
    """A quorum gave the task this model."""

    height: int
    body: ApproveModel

    @property
    def task(self) -> str:
        return self.body.task

    @property
    def model(self) -> bytes:
        return self.body.model_digest


@dataclass(frozen=True, slots=True)
class Part:
    """A gateway's update in a settled round, and the block that made its commit final."""

    gateway: str
    hospital: str
    digest: bytes
    weight: int
    score: int
    height: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A round made this model from the one before. `known` and `closed` are task and round as they were then."""

    height: int
    body: Settle
    parts: tuple[Part, ...]
    known: Task
    closed: Round

    @property
    def task(self) -> str:
        return self.body.task

    @property
    def model(self) -> bytes:
        return self.body.model_after


Step: TypeAlias = Approved | Settled


def lineage(steps: Sequence[Step], model: bytes) -> tuple[Step, ...]:
    """The steps that made a model, newest first, back to the approval that they began with; empty when none did.

    `steps` are a chain's, by height. Where several lead to the same bytes, those of the last count.
    """
    last = next((step for step in reversed(steps) if step.model == model), None)
    if last is None:
        return ()
    own = [step for step in steps if step.task == last.task]
    found: list[Step] = []
    for step in reversed(own[: own.index(last) + 1]):
        found.append(step)
        if isinstance(step, Approved):
            break
    return tuple(found)
