"""Transactions that wait for a block, judged on the state that the ones before them would leave."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from salus_chain.errors import Rejected
from salus_chain.rules.apply import apply_tx, begin, block_time
from salus_chain.rules.blocks import MAX_BLOCK_BYTES, MAX_BLOCK_TRANSACTIONS
from salus_chain.rules.rounds import next_due_ms
from salus_chain.rules.state import State
from salus_chain.rules.transactions import Transaction, TxId

MAX_WAITING: Final = 10_000
MAX_DROPPED: Final = 1_000


@dataclass
class Mempool:
    """In order of arrival. `pending` is the state after all that wait, inside the next block."""

    base: State
    pending: State
    waiting: dict[TxId, Transaction] = field(default_factory=dict)
    dropped: dict[TxId, Rejected] = field(default_factory=dict)  # the latest ones, with the reason

    @classmethod
    def on(cls, state: State, now_ms: int) -> Mempool:
        return cls(state, begin(state, block_time(state, now_ms)))

    def add(self, tx: Transaction, now_ms: int) -> None:
        """Raises Rejected as the next block would, or `mempool_full`."""
        if tx.id in self.waiting:
            return
        if len(self.waiting) >= MAX_WAITING:
            raise Rejected("mempool_full", f"{MAX_WAITING} transactions wait already; try again later")
        due_ms = next_due_ms(self.pending)
        if not self.waiting or (due_ms is not None and now_ms >= due_ms):
            self.rebase(self.base, now_ms)
        self.pending = apply_tx(self.pending, tx)
        self.waiting[tx.id] = tx

    def rebase(self, state: State, now_ms: int, final: Iterable[bytes] = ()) -> None:
        """Judge all that wait anew on `state`, without those that became `final`; what fails is dropped."""
        gone = set(final)
        waiting, self.waiting, self.base = self.waiting, {}, state
        self.pending = begin(state, block_time(state, now_ms))
        for tx_id, tx in waiting.items():
            if tx_id in gone:
                continue
            try:
                self.pending = apply_tx(self.pending, tx)
            except Rejected as reason:
                self._drop(tx_id, reason)
            else:
                self.waiting[tx_id] = tx

    def next_block(self) -> list[Transaction]:
        """The first that wait, as many as a block holds."""
        chosen: list[Transaction] = []
        size = 0
        for tx in self.waiting.values():
            size += len(tx.data)
            if len(chosen) == MAX_BLOCK_TRANSACTIONS or size > MAX_BLOCK_BYTES // 2:
                break
            chosen.append(tx)
        return chosen

    def next_nonce(self, sender: bytes) -> int:
        return self.pending.nonces.get(sender, 0)

    def _drop(self, tx_id: TxId, reason: Rejected) -> None:
        self.dropped[tx_id] = reason
        while len(self.dropped) > MAX_DROPPED:
            del self.dropped[next(iter(self.dropped))]
