"""Transactions in line for a block: who holds how much, which goes first, and which goes when there is no room.

Three lanes, the urgent first; inside a lane in order of arrival. An urgent transaction takes the earlier ones of
its sender along, so that nonces stay in order: one counts as urgent as the most urgent after it of its sender.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from heapq import heapify, heappop, heappush
from types import MappingProxyType
from typing import Final

from salus_chain.rules.transactions import Kind, Transaction, TxId

STALE_ENTRIES: Final = 1_024  # of a heap, before it is built anew


class Lane(IntEnum):
    """The classes of a proposal, in its order."""

    URGENT = 0  # what ends a right: a lie, a seat, a key, a gateway, a consent
    QUORUM = 1  # what a quorum has signed already
    COMMON = 2


LANES: Final[Mapping[Kind, Lane]] = MappingProxyType(
    {
        Kind.EVIDENCE: Lane.URGENT,
        Kind.SET_VALIDATORS: Lane.URGENT,
        Kind.DEAUTHORIZE: Lane.URGENT,
        Kind.REVOKE: Lane.URGENT,
        Kind.WITHDRAW: Lane.URGENT,
        Kind.SETTLE: Lane.QUORUM,
        Kind.APPROVE_MODEL: Lane.QUORUM,
        Kind.APPROVE_RELEASE: Lane.QUORUM,
    }
)


def lane_of(kind: Kind) -> Lane:
    return LANES.get(kind, Lane.COMMON)


def holder_of(tx: Transaction, tx_id: TxId) -> bytes:
    """Who answers for the room it takes: its sender; a transaction without one stands for itself."""
    return tx.sender or tx_id


class Waiting:
    """A line of transactions. Each sender's come with nonces that follow one another. O(log n) per change."""

    def __init__(self) -> None:
        self.arrived: dict[TxId, Transaction] = {}
        self.size_bytes = 0
        self._lanes: tuple[dict[TxId, Transaction], ...] = tuple({} for _ in Lane)
        self._runs: dict[bytes, list[tuple[TxId, Transaction]]] = {}  # holder → its own, by nonce
        self._held: dict[bytes, int] = {}  # holder → bytes
        self._heaps: tuple[list[tuple[int, bytes]], ...] = ()  # (−bytes, holder), some outdated; once asked for

    def append(self, tx_id: TxId, tx: Transaction) -> None:
        holder, size = holder_of(tx, tx_id), len(tx.data)
        self.arrived[tx_id] = tx
        self._lanes[lane_of(tx.kind)][tx_id] = tx
        self._runs.setdefault(holder, []).append((tx_id, tx))
        self._held[holder] = self._held.get(holder, 0) + size
        self.size_bytes += size
        self._weigh(holder)

    def finished(self, tx_id: TxId) -> None:
        """One became final. The line must then be made anew before anything but `arrived` is asked."""
        tx = self.arrived.pop(tx_id, None)
        self.size_bytes -= len(tx.data) if tx else 0

    def forget_last(self, holder: bytes) -> tuple[TxId, Transaction]:
        """Take out the newest transaction of a holder."""
        run = self._runs[holder]
        tx_id, tx = run.pop()
        del self.arrived[tx_id], self._lanes[lane_of(tx.kind)][tx_id]
        self._held[holder] -= len(tx.data)
        self.size_bytes -= len(tx.data)
        if run:
            self._weigh(holder)
        else:
            del self._runs[holder], self._held[holder]
        return tx_id, tx

    def count(self, holder: bytes) -> int:
        return len(self._runs.get(holder, ()))

    def held(self, holder: bytes) -> int:
        """Bytes of this holder that wait."""
        return self._held.get(holder, 0)

    def heaviest(self, lane: Lane) -> bytes | None:
        """Of the holders whose newest transaction is of this lane, the one with the most bytes."""
        if not self._heaps:
            self._heaps = tuple(self._heap(each) for each in Lane)
        heap = self._heaps[lane]
        while heap:
            weight, holder = heap[0]
            run = self._runs.get(holder)
            if run and self._held[holder] == -weight and lane_of(run[-1][1].kind) is lane:
                return holder
            heappop(heap)
        return None

    def first(self, most: int, most_bytes: int) -> list[Transaction]:
        """The next block's, in its order: as many as come before one that would exceed a limit."""
        chosen: list[Transaction] = []
        taken: dict[bytes, int] = {}
        size = 0
        for lane in self._lanes:
            for tx_id, tx in lane.items():
                holder = holder_of(tx, tx_id)
                run, done = self._runs[holder], taken.get(holder, 0)
                upto = tx.nonce - run[0][1].nonce + 1 if tx.sender else 1
                for _, each in run[done:upto]:
                    size += len(each.data)
                    if len(chosen) == most or size > most_bytes:
                        return chosen
                    chosen.append(each)
                taken[holder] = max(done, upto)
        return chosen

    def _weigh(self, holder: bytes) -> None:
        if not self._heaps:
            return
        lane = lane_of(self._runs[holder][-1][1].kind)
        heap = self._heaps[lane]
        heappush(heap, (-self._held[holder], holder))
        if len(heap) > STALE_ENTRIES + 4 * len(self._runs):
            heap[:] = self._heap(lane)

    def _heap(self, lane: Lane) -> list[tuple[int, bytes]]:
        heap = [(-self._held[each], each) for each, run in self._runs.items() if lane_of(run[-1][1].kind) is lane]
        heapify(heap)
        return heap
