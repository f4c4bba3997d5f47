"""A run of the simulation: who takes part, who lies, and which faults strike when."""

from __future__ import annotations

from dataclasses import dataclass

from salus_chain.consensus.core import Timing
from salus_chain.consensus.messages import Type


@dataclass(frozen=True, slots=True)
class Trigger:
    """The moment at which honest seats have published `count` votes of a type at one height."""

    type: Type
    count: int


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. `at` is a time or a trigger; it ends after `lasts_ms`, at the latest when all heals.

    split     `who` cannot talk with the rest
    isolate   each of `who` is alone
    oneway    nothing gets from `who` to `other`
    lossy     `amount` of 1,000 messages are lost
    slow      messages take up to `amount` ms longer
    lose      votes of `type` to `other` are lost
    crash     `who` stop at the point `where`, and start again at the end
    doom      the seat whose vote was the trigger stops for good, and `who` crash with it
    clock     the clocks of `who` are `amount` ms off
    """

    kind: str
    at: int | Trigger
    lasts_ms: int
    who: tuple[int, ...] = ()
    other: tuple[int, ...] = ()
    amount: int = 0
    type: Type = Type.COMMIT
    where: str = "now"


@dataclass(frozen=True, slots=True)
class Plan:
    """A run. Nodes are numbered: seats first, then observers, then the second copies of twins."""

    seed: int
    style: str
    seats: int
    observers: int
    liars: tuple[tuple[int, tuple[str, ...]], ...]
    twins: tuple[int, ...]
    lost: tuple[int, ...]  # stopped for good: their vote log is gone
    timing: Timing
    tick_ms: int
    delay_ms: tuple[int, int]
    loss: int  # of 1,000 messages, before all heals
    twice: int  # of 1,000 messages come again later
    skew_ms: tuple[int, ...]
    drift_ppm: tuple[int, ...]
    faults: tuple[Fault, ...]
    heal_ms: int
    notes: tuple[tuple[int, int, bytes], ...]  # (ms, node, transaction)
    changes: tuple[tuple[int, int, tuple[int, ...]], ...]  # (ms, node, seats)
    curve: bool

    @property
    def nodes(self) -> int:
        return self.seats + self.observers + len(self.twins)

    @property
    def byzantine(self) -> tuple[int, ...]:
        """Seats that may do anything."""
        return tuple(index for index, _ in self.liars) + self.twins

    @property
    def bound_ms(self) -> int:
        """How long after all has healed every honest node has one block more, at the latest.

        Two ticks and the delays spread everyone's votes, final blocks and transactions. Seats are then at most one
        round apart, since a timer runs only where a quorum is, and f + 1 draw the rest along: one round to align.
        f proposers in a row may lie, and each may hold a round up for two timers (one before its late proposal, one
        after), and so may the round that was under way; one that is down costs a timer. The next round lasts.

        For a quorum that was down in a network without other faults: no round passed without a quorum, so the timers
        are the first ones.
        """
        spread = 2 * self.tick_ms + 8 * self.delay_ms[1]
        if self.style == "stall":
            return spread + sum(self.timing.of(round_) for round_ in range(3))
        bad = 2 * (len(self.byzantine) + 1) + len(self.lost) + any(fault.kind == "doom" for fault in self.faults)
        return (spread + (2 + bad) * self.timing.most_ms) * 102 // 100
