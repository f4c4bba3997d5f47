"""What comes in to be put into a block: from clients, peers and this node itself; and who else hears of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

import structlog

from salus_chain.errors import DecodeError, Rejected
from salus_chain.node.foresight import Foresight
from salus_chain.node.gossip import Gossip, Later, Send, frames
from salus_chain.node.network import wire
from salus_chain.node.pool import appetite
from salus_chain.node.pool.mempool import Mempool
from salus_chain.node.pool.waiting import Lane, lane_of
from salus_chain.node.storage.store import Store
from salus_chain.rules.state import State
from salus_chain.rules.transactions import Transaction, TxId, read_transaction

EARLY_TRANSACTIONS: Final = 256
GOSSIP_TRANSACTIONS: Final = 256  # sent again on a tick
ENOUGH_BLOCKS: Final = 2  # wait here: more would be judged anew after each block, and go into none of this node's
SPARE: Final = 64  # of peers' are taken at each height all the same: an observer's clients have no turn of their own

log = structlog.get_logger()


class Intake:
    """The mempool of one node with its ways in and out. `moves` says whether a proposal is on its way."""

    def __init__(
        self,
        state: State,
        store: Store,
        send: Send,
        later: Later,
        now_ms: Callable[[], int],
        moves: Callable[[], bool],
    ) -> None:
        self.mempool = Mempool.on(state, now_ms())
        self.most = appetite.FIRST  # transactions in a proposal
        self._store = store
        self._send = send
        self._now_ms = now_ms
        self._moves = moves
        self._gossip = Gossip(send, later, lambda tx_id: TxId(tx_id) in self.mempool, moves)
        self._foresight = Foresight(later)
        self._spare = SPARE
        self._early: deque[bytes] = deque(maxlen=EARLY_TRANSACTIONS)  # may be valid after the next block

    def take_batch(self, batch: Sequence[bytes], proposer: bytes | None) -> list[TxId | Rejected]:
        """Take a client's, each by itself: its id, or why it is refused. `proposer` is another node, or None."""
        results: list[TxId | Rejected] = []
        fresh: dict[bytes, bytes] = {}
        for data in batch:
            try:
                tx = read_transaction(data)
                if tx.id not in self.mempool and not self._is_final(tx):
                    self.mempool.add(tx, self._now_ms())
                    fresh[tx.id] = data
                results.append(tx.id)
            except DecodeError as error:
                results.append(Rejected("malformed", str(error)))
            except Rejected as reason:
                results.append(reason)
        self._gossip.add(fresh, proposer)
        return results

    def _is_final(self, tx: Transaction) -> bool:
        """Whether it is in a block; one whose sender's nonce is not used up yet cannot be."""
        open_ = tx.sender and tx.nonce >= self.mempool.base.nonces.get(tx.sender, 0)
        return not open_ and self._store.height_of(tx.id) is not None

    def hear(self, transactions: Iterable[bytes], proposer: bytes | None) -> None:
        """Take a peer's; what does not fit yet is tried once more after the next block.

        While another's proposal is on its way they are not judged: it may hold them, or a later one. Nor are they when
        enough for two blocks waits here, but for a few and the urgent: who handed them on has its turn, too.
        """
        if proposer is not None and self._moves():
            self._foresight.add(transactions)
            return
        for data in transactions:
            self._hear(data)

    def _hear(self, data: bytes) -> None:
        try:
            tx = read_transaction(data)
        except DecodeError as error:
            log.debug("malformed transaction from a peer", reason=str(error))
            return
        if len(self.mempool) >= ENOUGH_BLOCKS * self.most and lane_of(tx.kind) is Lane.COMMON:
            if not self._spare:
                self._foresight.add((data,))
                return
            self._spare -= 1
        try:
            self.mempool.add(tx, self._now_ms(), metered=False)
        except Rejected:
            self._early.append(data)

    def hand_in(self, data: bytes) -> None:
        """Take one of this node's own, and tell all, unless it waits already."""
        tx = read_transaction(data)
        if tx.id in self.mempool:
            return
        try:
            self.mempool.add(tx, self._now_ms())
        except Rejected as error:  # such as another change of seats that takes effect first
            log.debug("evidence waits", code=error.code)
        else:
            self._send(None, wire.Txs((data,)))

    def send_again(self) -> None:
        """What waits, to all: it may have been lost."""
        for frame in frames(tx.data for tx in islice(self.mempool.waiting.values(), GOSSIP_TRANSACTIONS)):
            self._send(None, frame)

    def next_block(self, round_: int) -> list[Transaction]:
        """What a proposal in this round should hold."""
        return self.mempool.next_block(appetite.in_round(self.most, round_))

    def became_final(self, state: State, final: Sequence[TxId], round_: int, share: float) -> None:
        """A block of these made `state`, in this round; the height took this share of round 0's time."""
        self.most = appetite.after(self.most, len(final), round_, share)
        self.mempool.rebase(state, self._now_ms(), final)
        early, self._early = self._early, deque(maxlen=EARLY_TRANSACTIONS)
        for data in early:
            try:
                self.mempool.add(read_transaction(data), self._now_ms(), metered=False)
            except Rejected as error:
                log.debug("transaction refused", code=error.code)

    def turn(self, proposer: bytes | None) -> None:
        """A new height: its proposer hears of what waits here."""
        self._spare = SPARE
        self._gossip.turn(proposer)
