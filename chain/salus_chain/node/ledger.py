"""The shell around consensus and rules: one node's chain, from events to stored blocks; synchronous.

Effects run in bursts. A burst's votes are on disk, by one sync, before any of its messages leaves; a final block is
on disk before anybody is told of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import structlog

from salus_chain.consensus import core
from salus_chain.consensus.core import SERVED_BLOCKS, step
from salus_chain.consensus.messages import Council, Decided, Message
from salus_chain.errors import ChainError, Rejected, Stopped
from salus_chain.keys import Signer, verify
from salus_chain.node.accusations import Accusations
from salus_chain.node.gossip import Later, Send, never
from salus_chain.node.intake import Intake
from salus_chain.node.network import wire
from salus_chain.node.storage.store import Store
from salus_chain.node.storage.votes import Slot, VoteLog
from salus_chain.rules.apply import MAX_CLOCK_AHEAD_MS, apply_block, build_block, is_due
from salus_chain.rules.blocks import VOTE_DOMAIN, Block, BlockDigest
from salus_chain.rules.state import State
from salus_chain.rules.transactions import TxId, read_transaction

SERVED_BYTES: Final = 4 << 20
OWN_VOTES: Final = 8  # remembered as signed here
BUILDING_MS: Final = 200  # that a proposer may take at a busy height's start

log = structlog.get_logger()

SetTimer: TypeAlias = Callable[[core.Timer], None]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is."""

    name: str
    signer: Signer


@dataclass(frozen=True, slots=True)
class Position:
    """Where a peer said it is, and when, in Unix milliseconds."""

    height: int
    round: int
    heard_ms: int


class Diverged(ChainError):
    """A final block does not execute here: this node's state, or two thirds of the others', is wrong."""


class Ledger:
    """State, mempool and consensus of one node. `listeners` are told of each new state."""

    def __init__(
        self,
        identity: Identity,
        store: Store,
        votes: VoteLog,
        send: Send,
        set_timer: SetTimer,
        now_ms: Callable[[], int],
        timing: core.Timing,
        later: Later = never,
    ) -> None:
        self.identity = identity
        self.store = store
        self.state = store.load()
        self.listeners: list[Callable[[State], None]] = []
        self.positions: dict[bytes, Position] = {}  # by peer
        self.started_ms = now_ms()  # when the height that is being decided began here
        self.round_changes = 0
        self.accusations = Accusations()
        self._votes = votes
        self._send = send
        self._set_timer = set_timer
        self._intake = Intake(self.state, store, send, later, now_ms, self._moves)
        self.mempool = self._intake.mempool
        self._ticked_height = self.state.height
        self._now_ms = now_ms
        self._events: deque[core.Event] = deque()
        self._outbox: list[tuple[bytes | None, wire.Sent]] = []
        self._running = False
        self._stopped: Stopped | Diverged | None = None
        self._executed: dict[BlockDigest, State] = {}  # of blocks at the next height
        self._own: deque[tuple[bytes, bytes]] = deque(maxlen=OWN_VOTES)  # signature, and what it covers
        chain_id = self.state.genesis.chain_id
        council = Council.of(chain_id, self.state.validators, self._verify)
        next_one = Council.of(chain_id, self.state.next_validators, self._verify)
        self._consensus = core.State(identity.signer.public_key, council, next_one, self.state.height + 1, timing)

    @property
    def round(self) -> int:
        return self._consensus.round

    @property
    def seat(self) -> int | None:
        """This node's position in the set that decides the next block; None for an observer."""
        return self._consensus.seat

    def resume(self) -> None:
        """Go on from what the vote log says was signed at this height."""
        messages, lock = [], None
        for record in self._votes.at(self.state.height + 1):
            frame = wire.decode_frame(record.message)
            assert isinstance(frame, Message)
            messages.append(frame)
            kept = wire.decode_lock(record.lock) if record.lock else None
            if kept is not None and (lock is None or kept.round > lock.round):
                lock = kept
        if messages:
            self.handle(core.Restored(tuple(messages), lock))
        self.work_if_due()

    def submit(self, data: bytes) -> TxId:
        """Take a transaction from a client; its id. Raises Rejected."""
        (result,) = self.submit_batch((data,))
        if isinstance(result, Rejected):
            raise result
        return result

    def submit_batch(self, batch: Sequence[bytes]) -> list[TxId | Rejected]:
        """Take each by itself: its id, or why it is refused. The next block is made when all are in."""
        results = self._intake.take_batch(batch, self._consensus.other_proposer)
        self.work_if_due()
        return results

    def gossiped(self, transactions: Iterable[bytes]) -> None:
        """Take transactions from a peer."""
        self._intake.hear(transactions, self._consensus.other_proposer)
        self.work_if_due()

    def stands(self, peer: bytes, height: int, round_: int) -> None:
        """Note where a peer says that it is."""
        self.positions[peer] = Position(height, round_, self._now_ms())

    def tick(self) -> None:
        """Twice a second: send again what may have been lost, where nothing moves, and look at the clock."""
        if self.state.height == self._ticked_height:
            self._intake.send_again()
        self._ticked_height = self.state.height
        self.handle(core.Tick())
        self.work_if_due()

    def work_if_due(self) -> None:
        """Tell consensus when something belongs into a block."""
        if self._running or self._consensus.round > 0:
            return
        for evidence in self.accusations.due(self.state):
            self._intake.hand_in(evidence)
        if self.mempool.waiting or is_due(self.state, self._now_ms()):
            self.handle(core.Work())

    def handle(self, event: core.Event) -> None:
        """Run an event and all that follows from it. What stopped the node once is raised again ever after."""
        if self._stopped is not None:
            raise self._stopped
        self._events.append(event)
        if self._running:
            return
        self._running = True
        height = self.state.height
        try:
            while self._events:
                round_ = self._consensus.round
                self._consensus, effects = step(self._consensus, self._events.popleft())
                self.round_changes += self._consensus.round > round_
                for effect in effects:
                    self._run(effect)
            self._flush()
        except (Stopped, Diverged) as error:
            self._stopped = error
            raise
        finally:
            self._running = False
        if self.state.height != height:
            self._intake.turn(self._consensus.other_proposer)
            for listener in self.listeners:
                listener(self.state)
            self.work_if_due()

    def _moves(self) -> bool:
        """Whether this height's proposer is at work, or may be: nobody else needs to hear of transactions."""
        return self._consensus.proposal is not None or self._now_ms() - self.started_ms < BUILDING_MS

    def _flush(self) -> None:
        """Votes to disk, then messages to peers."""
        self._votes.sync()
        outbox, self._outbox = self._outbox, []
        for peer, frame in outbox:
            self._send(peer, frame)

    def _run(self, effect: core.Effect) -> None:
        match effect:
            case core.Vote():
                self._vote(effect)
            case core.Build(round_):
                self._build(round_)
            case core.Check(block, fresh):
                self._check(block, fresh)
            case core.Decide(decided):
                self._decide(decided)
            case core.Send(peer, messages):
                self._outbox += [(peer, message) for message in messages]
            case core.SendBody(peer, block):
                self._outbox.append((peer, wire.Body(block)))
            case core.Serve(peer, height):
                for block, certificate in self.store.range(height, SERVED_BLOCKS, SERVED_BYTES):
                    self._outbox.append((peer, Decided(block, certificate)))
            case core.Get(peer, height, digest):
                self._outbox.append((peer, wire.Get(height, self._consensus.round, digest)))
            case core.Timer():
                self._set_timer(effect)
            case core.Accuse(key, first, second):
                council = self._consensus.council if first.height == self._consensus.height else self._consensus.later
                self.accusations.add(council.chain_id, council.hash, key, first, second)

    def _build(self, round_: int) -> None:
        """A block of what waits; in round 0 none when there is nothing to do."""
        now_ms = self._now_ms()
        block, after = build_block(self.state, self._intake.next_block(round_), now_ms)
        if round_ == 0 and not block.transactions and not is_due(self.state, block.header.time_ms):
            self.mempool.rebase(self.state, now_ms)
            return
        self._executed[block.digest] = after
        self._events.append(core.Propose(round_, block))

    def _vote(self, vote: core.Vote) -> None:
        slot = Slot(vote.height, vote.round, int(vote.type))
        lock = wire.encode_lock(vote.lock) if vote.lock else b""
        made = self._signed(vote)
        frame = wire.encode_frame(made)
        try:
            stored = self._votes.record(slot, lambda: frame, lock)
        except Rejected as error:
            log.error("vote refused", code=error.code, reason=error.reason)
            return
        message = made if stored == frame else wire.decode_frame(stored)
        assert isinstance(message, Message)
        self._outbox.append((None, wire.Recorded(stored)))
        self._events.append(core.Received(message))

    def _signed(self, vote: core.Vote) -> Message:
        covered = self._consensus.council.covered(vote.type, vote.height, vote.round, vote.digest, vote.prepared)
        signature, seat = self.identity.signer.sign(VOTE_DOMAIN, covered), self._consensus.seat
        assert seat is not None
        self._own.append((signature, covered))
        return Message(
            vote.type,
            vote.height,
            vote.round,
            vote.digest,
            seat,
            signature,
            vote.prepared,
            vote.block,
            vote.certificate,
            vote.changes,
        )

    def _verify(self, key: bytes, signature: bytes, domain: bytes, covered: bytes) -> bool:
        """As `verify`; what this node has just signed itself needs no look."""
        own = key == self.identity.signer.public_key and (signature, covered) in self._own
        return own or verify(key, signature, domain, covered)

    def _check(self, block: Block, fresh: bool) -> None:
        reason = self._too_soon(block) if fresh else ""
        if reason:
            log.warning("proposal refused", height=block.header.height, reason=reason)
            return
        if block.digest not in self._executed:
            try:
                self._executed[block.digest] = apply_block(self.state, block)
            except Rejected as error:
                log.warning("proposal refused", height=block.header.height, code=error.code, reason=error.reason)
                return
        self._events.append(core.Checked(block.digest))

    def _too_soon(self, block: Block) -> str:
        """Why a block that was made just now may not be voted for; a prepared one is never asked.

        The earliest time that there can be is never too soon, or one clock that was wrong would halt the chain.
        """
        ahead_ms = block.header.time_ms - self._now_ms()
        if ahead_ms > MAX_CLOCK_AHEAD_MS and block.header.time_ms > self.state.time_ms + 1:
            return f"its time is {ahead_ms} ms ahead of this clock"
        if self._consensus.round == 0 and not block.transactions and not is_due(self.state, block.header.time_ms):
            return "it is empty and nothing was due"
        return ""

    def _decide(self, decided: Decided) -> None:
        block, before = decided.block, self.state
        after = self._executed.get(block.digest)
        if after is None:
            try:
                after = apply_block(before, block)
            except Rejected as error:
                raise Diverged(f"final block {block.header.height} is refused here: {error}") from None
        self._votes.sync()  # first: a certificate may hold this node's own COMMIT
        if any(seal.seat == self.seat for seal in decided.certificate.seals):
            self._votes.require(block.header.height, decided.certificate.round)
        self.store.append(block, decided.certificate, before, after)
        round_, share = decided.certificate.round, (self._now_ms() - self.started_ms) / self._consensus.timing.first_ms
        self.state, self.started_ms = after, self._now_ms()
        self._executed.clear()
        final = [read_transaction(data).id for data in block.transactions]
        self._intake.became_final(after, final, round_, share)
        self._events.append(core.Started(after.height + 1, after.validators, after.next_validators))
        log.info("block", height=after.height, round=round_, transactions=len(final), digest=block.digest.hex()[:16])
