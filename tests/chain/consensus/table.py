"""Seats around a table: votes of anyone by hand, and a core whose shell answers at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import cached_property

from salus_chain.consensus.core import (
    Build,
    Check,
    Checked,
    Decide,
    Effect,
    Event,
    Propose,
    Received,
    Restored,
    State,
    Timing,
    Vote,
    step,
)
from salus_chain.consensus.messages import NOTHING_PREPARED, Council, Decided, Message, Prepared, Type
from salus_chain.genesis import quorum
from salus_chain.rules.blocks import NEVER, Block, Certificate
from salus_chain.rules.transactions import Seal
from salus_chain.simulation.keyring import FastKeyring, Intent, set_name
from salus_chain.simulation.toychain import CHAIN_ID, EPOCH_MS, build, first


class Table:
    """`seats` validators at height 1, of which one at a time is played by the core."""

    def __init__(self, seats: int = 4) -> None:
        self.seats = seats
        self.keyring = FastKeyring()
        self.keys = tuple(self.keyring.key(index) for index in range(seats))
        self.chain = first(self.keys)
        self.council = Council.of(CHAIN_ID, self.keys, self.keyring.verify)

    @cached_property
    def x(self) -> Block:
        return build(self.chain, [b"x"], EPOCH_MS + 1)

    @cached_property
    def y(self) -> Block:
        return build(self.chain, [b"y"], EPOCH_MS + 2)

    def state(self, seat: int | None, timing: Timing | None = None) -> State:
        """A node at height 1; an observer when it has no seat."""
        key = bytes(33) if seat is None else self.keys[seat]
        return State(key, self.council, self.council, 1, timing or Timing())

    def proposer(self, round_: int) -> int:
        return (1 + round_) % self.seats

    def vote(
        self,
        type_: Type,
        seat: int,
        round_: int,
        digest: bytes,
        *,
        height: int = 1,
        prepared: int = NEVER,
        block: Block | None = None,
        certificate: tuple[Seal, ...] = (),
        changes: tuple[Message, ...] = (),
    ) -> Message:
        """Signed by that seat."""
        intent = Intent(self.keys[seat], CHAIN_ID, set_name(self.keys), int(type_), height, round_, prepared, digest)
        signature = self.keyring.sign(intent)
        return Message(type_, height, round_, digest, seat, signature, prepared, block, certificate, changes)

    def seals(self, type_: Type, round_: int, block: Block, seats: Sequence[int] | None = None) -> tuple[Seal, ...]:
        """Of a quorum, or of these seats."""
        chosen = range(quorum(self.seats)) if seats is None else seats
        return tuple(Seal(seat, self.vote(type_, seat, round_, block.digest).signature) for seat in chosen)

    def lock(self, round_: int, block: Block) -> Prepared:
        return Prepared(round_, block, self.seals(Type.PREPARE, round_, block))

    def change(self, seat: int, round_: int, lock: Prepared | None = None) -> Message:
        """Its ROUND-CHANGE."""
        if lock is None:
            return self.vote(Type.ROUND_CHANGE, seat, round_, NOTHING_PREPARED)
        return self.vote(
            Type.ROUND_CHANGE,
            seat,
            round_,
            lock.block.digest,
            prepared=lock.round,
            certificate=lock.certificate,
        )

    def proposal(
        self, round_: int, block: Block, changes: Sequence[Message] = (), certificate: tuple[Seal, ...] = ()
    ) -> Message:
        """By the round's proposer."""
        return self.vote(
            Type.PROPOSAL,
            self.proposer(round_),
            round_,
            block.digest,
            block=block,
            certificate=certificate,
            changes=tuple(change.bare for change in changes),
        )

    def decided(self, block: Block, round_: int = 0, seats: Sequence[int] | None = None) -> Decided:
        return Decided(block, Certificate(round_, self.seals(Type.COMMIT, round_, block, seats)))

    def sign(self, vote: Vote, seat: int) -> Message:
        """What a shell makes of the core's wish."""
        return self.vote(
            vote.type,
            seat,
            vote.round,
            vote.digest,
            height=vote.height,
            prepared=vote.prepared,
            block=vote.block,
            certificate=vote.certificate,
            changes=vote.changes,
        )

    def play(self, state: State, *events: Event, block: Block | None = None) -> tuple[State, list[Effect]]:
        """Run events; blocks that are checked are valid, `Build` gives `block`, votes come back."""
        queue: deque[Event] = deque(events)
        all_effects: list[Effect] = []
        while queue:
            state, effects = step(state, queue.popleft())
            all_effects += effects
            for effect in effects:
                match effect:
                    case Vote() if state.seat is not None:
                        queue.append(Received(self.sign(effect, state.seat)))
                    case Check(checked, _):
                        queue.append(Checked(checked.digest))
                    case Build(round_) if block is not None:
                        queue.append(Propose(round_, block))
                    case _:
                        pass
        return state, all_effects

    def receive(self, state: State, *messages: Message, block: Block | None = None) -> tuple[State, list[Effect]]:
        return self.play(state, *map(Received, messages), block=block)

    def locked(self, seat: int, round_: int, block: Block) -> State:
        """A seat that committed to a block in a round, from its log."""
        lock = self.lock(round_, block)
        own = [self.vote(Type.PREPARE, seat, round_, block.digest), self.vote(Type.COMMIT, seat, round_, block.digest)]
        return self.play(self.state(seat), Restored(tuple(own), lock))[0]


def votes(effects: Sequence[Effect]) -> list[tuple[Type, int, bytes]]:
    """What the core asked to sign: (type, round, digest)."""
    return [(each.type, each.round, each.digest) for each in effects if isinstance(each, Vote)]


def decisions(effects: Sequence[Effect]) -> list[Decided]:
    return [each.decided for each in effects if isinstance(each, Decide)]
