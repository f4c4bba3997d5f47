"""What survives a crash: the vote log up to its last sync, and every final block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from salus_chain.consensus.messages import Decided, Message, Prepared

KEEP_ROUNDS: Final = 16  # of the latest height; of those before, only the newest lock
CRASH_POINTS: Final = ("now", "append", "sync", "send", "decide", "stored")


class Slot(NamedTuple):
    """A seat signs one thing in each."""

    height: int
    round: int
    type: int


@dataclass(frozen=True, slots=True)
class Record:
    """A signed vote, and the lock that a COMMIT takes."""

    message: Message
    lock: Prepared | None


class Regression(Exception):
    """A new vote for an earlier height or round than one that was made already."""


@dataclass(slots=True)
class Disk:
    """One node's disk: the same contract as `node.votes.VoteLog` and `node.store.Store`."""

    blocks: list[Decided] = field(default_factory=list)
    durable: dict[Slot, Record] = field(default_factory=dict)
    appended: dict[Slot, Record] = field(default_factory=dict)

    def record(self, slot: Slot, sign: Callable[[], Message], lock: Prepared | None) -> Message:
        """The vote of this slot: the one on disk, or a new one, appended. Raises Regression."""
        known = _kept(self.durable | self.appended)
        if slot in known:
            return known[slot].message
        latest = max(known, default=slot)
        if slot[:2] < latest[:2]:
            raise Regression(f"{slot} after {latest}")
        message = sign()
        self.appended[slot] = Record(message, lock)
        return message

    def sync(self) -> list[Message]:
        """Make durable what was appended; those votes."""
        fresh = [record.message for record in self.appended.values()]
        if fresh:
            self.durable |= self.appended
            self.appended = {}
            self.durable = _kept(self.durable)
        return fresh

    def crash(self) -> None:
        """What was not synced is gone."""
        self.appended = {}

    def restore(self, height: int) -> tuple[tuple[Message, ...], Prepared | None]:
        """The votes of a height, in order, and the latest lock."""
        records = [self.durable[slot] for slot in sorted(self.durable) if slot.height == height]
        locks = [record.lock for record in records if record.lock is not None]
        return tuple(record.message for record in records), locks[-1] if locks else None


def _kept(records: dict[Slot, Record]) -> dict[Slot, Record]:
    """What a restart needs."""
    height, round_, _ = max(records, default=Slot(0, 0, 0))
    lock = max((slot for slot, record in records.items() if record.lock and slot.height == height), default=None)
    return {
        slot: record
        for slot, record in records.items()
        if slot.height == height and (slot.round > round_ - KEEP_ROUNDS or slot == lock)
    }
