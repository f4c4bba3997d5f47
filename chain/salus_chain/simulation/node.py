"""An honest node: the shell that the real one is, on a simulated disk, clock and network."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, TypeAlias

from salus_chain.consensus.core import (
    SERVED_BLOCKS,
    Accuse,
    Asked,
    Build,
    Check,
    Checked,
    Connected,
    Decide,
    Effect,
    Event,
    Get,
    Propose,
    Received,
    ReceivedBody,
    ReceivedDecided,
    Restored,
    Send,
    SendBody,
    Serve,
    Started,
    State,
    Tick,
    Timeout,
    Timer,
    Timing,
    Vote,
    Work,
    step,
)
from salus_chain.consensus.messages import Council, Decided, Message, Type
from salus_chain.rules.blocks import Block
from salus_chain.simulation.disk import Disk, Regression, Slot
from salus_chain.simulation.judge import Violation
from salus_chain.simulation.keyring import Intent
from salus_chain.simulation.toychain import CHAIN_ID, EPOCH_MS, MAX_CLOCK_AHEAD_MS, Chain, Invalid, build, execute

if TYPE_CHECKING:
    from salus_chain.simulation.world import World

GOSSIPED: Final = 4

Payload: TypeAlias = (
    "Message | Decided | Block | Get | bytes"  # a vote, a final block, a body, a question, a transaction
)


class Crash(Exception):
    """The process ends here."""


class Node:
    """One copy of the core and its shell. `honest` nodes are judged; the second copy of a twin is not."""

    def __init__(self, world: World, index: int, key: bytes, genesis: Chain, honest: bool) -> None:
        plan = world.plan
        self.world, self.index, self.key, self.honest = world, index, key, honest
        self.name = f"n{index}"
        self.timing: Timing = plan.timing
        self.skew_ms, self.drift_ppm = plan.skew_ms[index], plan.drift_ppm[index]
        self.disk = Disk()
        self.chain = genesis
        self.up = False
        self.trap: tuple[str, int] | None = None  # crash at this point, at the latest then
        self._timer = 0
        self._forget()

    def _forget(self) -> None:
        """What a process has in memory."""
        council = Council.of(CHAIN_ID, self.chain.validators, self.world.keyring.verify)
        later = Council.of(CHAIN_ID, self.chain.later, self.world.keyring.verify)
        self.state = State(self.key, council, later, self.chain.height + 1, self.timing)
        self.mempool: dict[bytes, None] = {}
        self.valid: dict[bytes, Chain] = {}  # blocks of this height that executed
        self.asked: dict[tuple[int, int, int], tuple[bytes, int]] = {}
        self.outbox: list[tuple[bytes | None, Payload]] = []
        self._events: deque[Event] = deque()
        self._running = False

    @property
    def now_ms(self) -> int:
        """What this node's clock says."""
        now = self.world.now
        return EPOCH_MS + now + now * self.drift_ppm // 1_000_000 + self.skew_ms

    # The process.

    def start(self) -> None:
        self.up = True
        self._forget()
        messages, lock = self.disk.restore(self.state.height)
        for each in messages:
            self.asked[each.type, each.height, each.round] = (each.digest, each.prepared)
        if messages:
            self.world.count["restarts with votes"] += 1
            self.world.count["restarts with a lock"] += lock is not None
            self.handle(Restored(messages, lock))

    def crash(self) -> None:
        self.up, self.trap = False, None
        self._timer += 1
        self.disk.crash()
        self.world.note(self, "crashes")

    def _at(self, point: str) -> None:
        if self.trap is not None and self.trap[0] == point:
            self.world.count[f"crash at {point}"] += 1
            raise Crash

    def handle(self, event: Event) -> None:
        """Run an event and all that follows; sync; then send."""
        if not self.up:
            return
        self._events.append(event)
        if self._running:
            return
        self._running = True
        try:
            while self._events:
                self._step(self._events.popleft())
            self._settle()
        except Crash:
            self.crash()
        finally:
            self._running = False

    def _step(self, event: Event) -> None:
        before = self.state
        self.state, effects = step(before, event)
        if self.honest:
            self.world.judge.stepped(self, before, event, effects)
        for effect in effects:
            self._run(effect)

    def _settle(self) -> None:
        self._sync()
        self._at("sync")
        outbox, self.outbox = self.outbox, []
        for number, (to, payload) in enumerate(outbox):
            if number == 1:
                self._at("send")
            self.emit(to, payload)

    def _sync(self) -> None:
        fresh = self.disk.sync()
        if self.honest:
            for message in fresh:
                self.world.published(self, message)

    def emit(self, to: bytes | None, payload: Payload) -> None:
        """Send; a liar does otherwise."""
        self.world.send(self.index, to, payload)

    # What comes in.

    def deliver(self, sender: bytes, payload: Payload) -> None:
        """A peer's message."""
        match payload:
            case Message():
                self.handle(Received(payload))
            case Decided():
                height = self.chain.height
                self.handle(ReceivedDecided(payload))
                self.world.count["catch-up"] += self.chain.height > height
            case Get(_, height, digest):
                self.handle(Asked(sender, height, digest))
            case Block():
                bodies = self.state.bodies
                self.handle(ReceivedBody(payload))
                self.world.count["body fetches"] += len(self.state.bodies) > len(bodies)
            case bytes():
                self.submit(payload)

    def submit(self, transaction: bytes) -> None:
        """Take a transaction of a client or a peer."""
        if self.up and transaction not in self.mempool and transaction not in self.chain.applied:
            self.mempool[transaction] = None
            self.outbox.append((None, transaction))
            self.handle(Work())

    def connected(self, peer: bytes) -> None:
        self.handle(Connected(peer))

    def tick(self) -> None:
        """Twice a second or so."""
        self.outbox.extend((None, tx) for tx in list(self.mempool)[:GOSSIPED])
        self.handle(Tick())
        if self.mempool:
            self.handle(Work())

    def fire(self, number: int, event: Timeout) -> None:
        if number == self._timer:
            self.world.count["timeouts"] += 1
            self.handle(event)

    # What the core asks for.

    def _run(self, effect: Effect) -> None:
        match effect:
            case Build(round_):
                if self.mempool or round_ > 0:
                    block = build(self.chain, list(self.mempool), self.now_ms)
                    self.valid[block.digest] = execute(self.chain, block)
                    self._events.append(Propose(round_, block))
            case Vote():
                self._vote(effect)
            case Send(peer, messages):
                self.outbox.extend((peer, message) for message in messages)
            case SendBody(peer, block):
                self.outbox.append((peer, block))
            case Check(block, fresh):
                self._check(block, fresh)
            case Decide(decided):
                self._decide(decided)
            case Serve(peer, height):
                self.outbox.extend((peer, each) for each in self.disk.blocks[height - 1 :][:SERVED_BLOCKS])
            case Get(peer, _, _):
                self.outbox.append((peer, effect))
            case Timer(height, round_, after_ms):
                self._timer += 1
                wait_ms = after_ms * 1_000_000 // (1_000_000 + self.drift_ppm)
                self.world.after(wait_ms, self.fire, self._timer, Timeout(height, round_))
            case Accuse():
                self.world.count["accusations"] += 1

    def _vote(self, vote: Vote) -> None:
        if self.honest:
            self.world.judge.asked(self, vote)
        slot = Slot(vote.height, vote.round, int(vote.type))
        try:
            message = self.disk.record(slot, lambda: self.signed(vote), vote.lock)
        except Regression as error:
            raise Violation("regression", f"{self.name}: {error}") from None
        self.outbox.append((None, message))
        self._events.append(Received(message))
        self.world.count["re-proposals"] += vote.type is Type.PROPOSAL and bool(vote.certificate)
        self._at("append")

    def signed(self, vote: Vote) -> Message:
        """The message of a vote."""
        council = self.state.council
        assert self.state.seat is not None
        intent = Intent(
            self.key,
            CHAIN_ID,
            council.hash,
            int(vote.type),
            vote.height,
            vote.round,
            vote.prepared,
            vote.digest,
        )
        return Message(
            vote.type,
            vote.height,
            vote.round,
            vote.digest,
            self.state.seat,
            self.world.sign(intent),
            vote.prepared,
            vote.block,
            vote.certificate,
            vote.changes,
        )

    def _check(self, block: Block, fresh: bool) -> None:
        time_ms = block.header.time_ms
        if fresh and time_ms - self.now_ms > MAX_CLOCK_AHEAD_MS and time_ms > self.chain.time_ms + 1:
            self.world.count["too early"] += 1
            return
        if block.digest not in self.valid:
            try:
                self.valid[block.digest] = execute(self.chain, block)
            except Invalid:
                self.world.count["invalid blocks"] += 1
                return
        self._events.append(Checked(block.digest))

    def _decide(self, decided: Decided) -> None:
        self._sync()
        self._at("decide")
        try:
            after = execute(self.chain, decided.block)
        except Invalid as error:
            raise Violation("validity", f"{self.name}, height {self.chain.height + 1}: final, but {error}") from None
        if self.honest:
            self.world.judge.decided(decided, after, self.name)
        self.disk.blocks.append(decided)
        self.chain = after
        self.valid.clear()
        self.asked.clear()
        self.mempool = {tx: None for tx in self.mempool if tx not in after.applied}
        self.world.note(self, f"has block {after.height} final in round {decided.certificate.round}")
        self._at("stored")
        self._events.append(Started(after.height + 1, after.validators, after.later))
        if self.mempool:
            self._events.append(Work())
