"""What final blocks did, as events for those who watch; told again, the same, from the stored blocks."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any, Final

from salus_chain.inspection import (
    Event,
)
from salus_chain.node.storage.store import Store
from salus_chain.rules.blocks import Block
from salus_chain.rules.state import State
from salus_chain.rules.transactions import (
    ApproveRelease,
    Evidence,
    OpenRound,
    Settle,
    SetValidators,
    Transaction,
    read_transaction,
)

KEPT_BLOCKS: Final = 256  # whose events are kept for many readers
READ_BLOCKS: Final = 64  # in one go
READ_BYTES: Final = 8 << 20


class Feed:
    """Events by height, worked out when somebody reads them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: OrderedDict[int, tuple[Event, ...]] = OrderedDict()
        self._deadlines: list[tuple[int, str, int]] = []  # (when, task, round), of closing and of expiring
        self._noted: dict[str, int] = {}  # task → its last round among those

    def after(self, height: int, state: State) -> Iterator[tuple[Event, ...]]:
        """The events of some blocks after a height, block by block; none when there are no more."""
        self._note_rounds(state)
        if height + 1 in self._known:
            yield self._known[height + 1]
            return
        parent = self._store.block(height) if height > 0 else None
        parent_ms = parent[0].header.time_ms if parent else 0
        for block, _ in self._store.range(height + 1, READ_BLOCKS, READ_BYTES):
            events = self._events(block, parent_ms)
            parent_ms = block.header.time_ms
            self._known[block.header.height] = events
            if len(self._known) > KEPT_BLOCKS:
                self._known.popitem(last=False)
            yield events

    def _events(self, block: Block, parent_ms: int) -> tuple[Event, ...]:
        header = block.header
        transactions = [read_transaction(data) for data in block.transactions]
        rows: list[tuple[Any, Mapping[str, Any]]] = [
            ("block", {"time_ms": header.time_ms, "digest": header.digest, "transactions": len(transactions)})
        ]
        rows += (("round", data) for data in self._ended(parent_ms, header.time_ms))
        if header.validators_hash != header.next_validators_hash:
            rows.append(("validators", {"what": "in effect", "from_height": header.height + 1}))
        for tx in transactions:
            rows += self._of(tx, header.height)
        return tuple(
            Event(f"{header.height}-{position}", kind, header.height, dict(data))
            for position, (kind, data) in enumerate(rows)
        )

    def _of(self, tx: Transaction, height: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
        body = tx.body
        match body:
            case OpenRound():
                yield "round", {"task": body.task, "round": body.round, "what": "opened"}
            case Settle():
                yield "round", {"task": body.task, "round": body.round, "what": "settled"}
            case ApproveRelease():
                yield "release", {"task": body.task, "version": body.version, "blob": body.blob_digest}
            case SetValidators():
                change, member = body.change.name.lower(), body.member.name
                yield "validators", {"what": change, "member": member, "from_height": height + 2}
            case Evidence():
                data = {"validator": body.public_key, "height": body.first.height, "round": body.first.round}
                yield "evidence", data

    def _note_rounds(self, state: State) -> None:
        """Remember when the rounds that were opened since the last time close and expire."""
        for task in state.tasks.values():
            for number in range(self._noted.get(task.id, 0) + 1, task.round + 1):
                each = self._store.round(task.id, number)
                if each is not None:
                    insort(self._deadlines, (each.open.deadline_ms, task.id, number))
                    insort(self._deadlines, (each.open.settle_deadline_ms, task.id, number))
            self._noted[task.id] = task.round

    def _ended(self, parent_ms: int, time_ms: int) -> Iterator[Mapping[str, Any]]:
        """Rounds that closed or expired in a block of this time, after one of that."""
        first = bisect_right(self._deadlines, (parent_ms, "\U0010ffff", 0))
        last = bisect_right(self._deadlines, (time_ms, "\U0010ffff", 0))
        for due_ms, task, number in self._deadlines[first:last]:
            each = self._store.round(task, number)
            if each is None:
                continue
            what: dict[str, Any] = {"task": task, "round": number}
            at_close = due_ms == each.open.deadline_ms
            if at_close and each.reason != "too_few_updates":
                yield what | {"what": "closed", "commits": len(each.commits)}
            elif at_close or each.reason == "not_settled":
                yield what | {"what": "expired", "reason": each.reason}
