"""The shell around consensus and rules: one validator's chain, from events to stored blocks; synchronous.

Every call runs to its end, so that a vote is on disk before it is sent and a block before it is told of.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final

import structlog

from salus_chain.consensus import core as consensus
from salus_chain.consensus.core import Decided, Message, proposer, step
from salus_chain.errors import ChainError, DecodeError, Rejected
from salus_chain.genesis import set_hash
from salus_chain.keys import Signer
from salus_chain.node import wire
from salus_chain.node.mempool import Mempool
from salus_chain.node.store import Store
from salus_chain.node.votes import Slot, VoteLog
from salus_chain.rules.apply import MAX_CLOCK_AHEAD_MS, apply_block, build_block
from salus_chain.rules.blocks import VOTE_DOMAIN, Block, vote_bytes
from salus_chain.rules.rounds import next_due_ms
from salus_chain.rules.state import State
from salus_chain.rules.transactions import TxId, read_transaction

EARLY_TRANSACTIONS: Final = 256
GOSSIP_TRANSACTIONS: Final = 256  # sent again on a tick

log = structlog.get_logger()

Send = Callable[[int | None, wire.Frame], None]


@dataclass(frozen=True, slots=True)
class Seat:
    """Who this validator is."""

    number: int
    name: str
    signer: Signer


class Diverged(ChainError):
    """A final block does not execute here: this validator's state, or two thirds of the others', is wrong."""


class Ledger:
    """State, mempool and consensus of one validator. `listeners` are told of each new state."""

    def __init__(
        self,
        seat: Seat,
        store: Store,
        votes: VoteLog,
        send: Send,
        now_ms: Callable[[], int],
    ) -> None:
        self.seat = seat
        self.store = store
        self.state = store.load()
        self.mempool = Mempool.on(self.state, now_ms())
        self.listeners: list[Callable[[State], None]] = []
        self._votes = votes
        self._send = send
        self._now_ms = now_ms
        self._events: deque[consensus.Event] = deque()
        self._running = False
        self._executed: dict[bytes, State] = {}  # of blocks at the next height
        self._early: deque[bytes] = deque(maxlen=EARLY_TRANSACTIONS)  # may be valid after the next block
        genesis = self.state.genesis
        self._consensus = consensus.State(genesis.chain_id, genesis.keys, seat.number, self.state.height + 1)

    def resume(self) -> None:
        """Say again what the vote log says was said at this height."""
        for record in self._votes.at(self.state.height + 1):
            frame = wire.decode_frame(record.message)
            if isinstance(frame, Message):
                self.handle(consensus.Received(frame))
        self.propose_if_due()

    def submit(self, data: bytes) -> TxId:
        """Take a transaction from a client; its id. Raises Rejected."""
        try:
            tx = read_transaction(data)
        except DecodeError as error:
            raise Rejected("malformed", str(error)) from None
        if tx.id not in self.mempool.waiting and self.store.height_of(tx.id) is None:
            self.mempool.add(tx, self._now_ms())
            self._send(None, wire.Tx(data))
            self.propose_if_due()
        return tx.id

    def gossiped(self, data: bytes) -> None:
        """Take a transaction from a peer; what does not fit yet is tried once more after the next block."""
        try:
            self.mempool.add(read_transaction(data), self._now_ms())
        except Rejected:
            self._early.append(data)
        except DecodeError as error:
            log.debug("malformed transaction from a peer", reason=str(error))
        else:
            self.propose_if_due()

    def tick(self) -> None:
        """Twice a second: send again what may have been lost, and look at the clock."""
        for tx in islice(self.mempool.waiting.values(), GOSSIP_TRANSACTIONS):
            self._send(None, wire.Tx(tx.data))
        self.handle(consensus.Tick())
        self.propose_if_due()

    def propose_if_due(self) -> None:
        """Make a block when it is this seat's turn and there is something to do."""
        now_ms, due_ms = self._now_ms(), next_due_ms(self.state)
        turn = proposer(len(self.state.validators), self.state.height + 1, 0) == self.seat.number
        waiting = self.mempool.waiting or (due_ms is not None and now_ms >= due_ms)
        if not turn or not waiting or consensus.Type.PROPOSAL in self._consensus.asked or self._running:
            return
        block, after = build_block(self.state, self.mempool.next_block(), now_ms)
        if block.transactions or (due_ms is not None and block.header.time_ms >= due_ms):
            self._executed[block.digest] = after
            self.handle(consensus.Propose(block))
        else:
            self.mempool.rebase(self.state, now_ms)

    def handle(self, event: consensus.Event) -> None:
        """Run an event and all that follows from it."""
        self._events.append(event)
        if self._running:
            return
        self._running = True
        height = self.state.height
        try:
            while self._events:
                self._consensus, effects = step(self._consensus, self._events.popleft())
                for effect in effects:
                    self._run(effect)
        finally:
            self._running = False
        if self.state.height != height:
            self.propose_if_due()

    def _run(self, effect: consensus.Effect) -> None:
        match effect:
            case consensus.Vote():
                self._vote(effect)
            case consensus.Send(seat, messages):
                for message in messages:
                    self._send(seat, message)
            case consensus.Check(block):
                self._check(block)
            case consensus.Decide(decided):
                self._decide(decided)
            case consensus.Serve(seat, height):
                stored = self.store.block(height)
                if stored:
                    self._send(seat, Decided(*stored))
            case consensus.Get(seat, height):
                self._send(seat, wire.Get(height))

    def _vote(self, vote: consensus.Vote) -> None:
        try:
            slot = Slot(vote.height, vote.round, int(vote.type))
            data = self._votes.record(slot, lambda: wire.encode_frame(self._signed(vote)))
            self._votes.sync()
        except Rejected as error:
            log.error("vote refused", code=error.code, reason=error.reason)
            return
        message = wire.decode_frame(data)
        assert isinstance(message, Message)
        self._send(None, message)
        self._events.append(consensus.Received(message))

    def _signed(self, vote: consensus.Vote) -> Message:
        genesis = self.state.genesis
        covered = vote_bytes(
            genesis.chain_id,
            set_hash(self.state.validators),
            vote.type,
            vote.height,
            vote.round,
            vote.digest,
        )
        signature = self.seat.signer.sign(VOTE_DOMAIN, covered)
        return Message(vote.type, vote.height, vote.round, vote.digest, self.seat.number, signature, vote.block)

    def _check(self, block: Block) -> None:
        if block.digest not in self._executed:
            ahead_ms = block.header.time_ms - self._now_ms()
            if ahead_ms > MAX_CLOCK_AHEAD_MS:
                log.warning("proposal too early", height=block.header.height, ahead_ms=ahead_ms)
                return
            try:
                self._executed[block.digest] = apply_block(self.state, block)
            except Rejected as error:
                log.warning("proposal refused", height=block.header.height, code=error.code, reason=error.reason)
                return
        self._events.append(consensus.Checked(block.digest))

    def _decide(self, decided: Decided) -> None:
        block, before = decided.block, self.state
        after = self._executed.get(block.digest)
        if after is None:
            try:
                after = apply_block(before, block)
            except Rejected as error:
                raise Diverged(f"final block {block.header.height} is refused here: {error}") from None
        self.store.append(block, decided.certificate, before, after)
        self.state = after
        self._executed.clear()
        final = [read_transaction(data).id for data in block.transactions]
        self.mempool.rebase(after, self._now_ms(), final)
        early, self._early = self._early, deque(maxlen=EARLY_TRANSACTIONS)
        for data in early:
            self._try_again(data)
        self._events.append(consensus.Started(after.height + 1, after.validators))
        log.info("block", height=after.height, transactions=len(final), digest=block.digest.hex()[:16])
        for listener in self.listeners:
            listener(after)

    def _try_again(self, data: bytes) -> None:
        try:
            self.mempool.add(read_transaction(data), self._now_ms())
        except Rejected as error:
            log.debug("transaction refused", code=error.code)
