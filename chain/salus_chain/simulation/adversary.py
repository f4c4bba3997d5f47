"""A Byzantine seat: it follows the chain like an honest node, and lies by the tricks that its plan gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from salus_chain.consensus.core import Get
from salus_chain.consensus.messages import NOTHING_PREPARED, Decided, Message, Type
from salus_chain.rules.blocks import NEVER, Block, Certificate
from salus_chain.rules.transactions import Seal
from salus_chain.simulation.forgery import (
    altered,
    forged_seals,
    invalid_block,
    malleated,
    other_block,
    recertified,
)
from salus_chain.simulation.keyring import Intent, set_name
from salus_chain.simulation.node import Payload
from salus_chain.simulation.speaker import Speaker
from salus_chain.simulation.toychain import CHAIN_ID, Chain

if TYPE_CHECKING:
    from salus_chain.simulation.world import World

OTHER_CHAIN: Final = bytes(31) + b"\x02"  # a second chain that the same keys run
REACTION: Final = 0.25


class Liar(Speaker):
    """A node that need not do what its core says. `tricks` name methods below."""

    def __init__(self, world: World, index: int, key: bytes, genesis: Chain, tricks: tuple[str, ...]) -> None:
        super().__init__(world, index, key, genesis)
        self.tricks = frozenset(tricks)
        self.reactions = [act for name, act in REACTIONS.items() if name in self.tricks]
        self.moves = [(name, act) for name, act in MOVES.items() if name in self.tricks]
        self.shy = [each for each in Type if self.rng.random() < 0.5]  # types that it withholds

    # What its core would say, twisted.

    def emit(self, to: bytes | None, payload: Payload) -> None:
        if isinstance(payload, Message) and self.state.seat is not None:
            self.bag.add(payload)
            if payload.seat == self.state.seat and payload.height == self.state.height:
                self._twist(to, payload)
                return
        if isinstance(payload, Decided | Block) and "withhold" in self.tricks and self.rng.random() < 0.7:
            return
        if isinstance(payload, Block) and "bodies" in self.tricks:
            payload = other_block(self.rng, self.chain, self.now_ms)
        super().emit(to, payload)

    def _twist(self, to: bytes | None, message: Message) -> None:
        tricks, rng = self.tricks, self.rng
        if "withhold" in tricks and message.type in self.shy:
            self._used("withhold")
            for index in self._half():
                self.world.carry(self.index, index, message)
            return
        if message.type is Type.PROPOSAL and "late" in tricks:
            self._used("late")
            for index in self._others():
                self.world.carry(self.index, index, message, self.timing.of(message.round) * rng.randint(3, 9) // 10)
            return
        second = self._second(message)
        if second is None:
            super().emit(to, message)
            return
        half = self._half()
        for index in self._others():
            self.world.carry(self.index, index, message if index in half else second)
            if rng.random() < 0.1:
                self.world.carry(self.index, index, second, 5)

    def _second(self, message: Message) -> Message | None:
        """Another vote for the same slot."""
        tricks, rng = self.tricks, self.rng
        match message.type:
            case Type.PROPOSAL if "invalid" in tricks and rng.random() < 0.7:
                self._used("invalid")
                block = invalid_block(rng, self.chain, self.now_ms)
                return self._say(Type.PROPOSAL, message.round, block.digest, block=block, changes=message.changes)
            case Type.PROPOSAL if "equivocate" in tricks:
                self._used("equivocate")
                block = other_block(rng, self.chain, self.now_ms)
                return self._say(
                    Type.PROPOSAL,
                    message.round,
                    block.digest,
                    block=block,
                    changes=message.changes,
                    certificate=message.certificate,
                )
            case Type.PREPARE | Type.COMMIT if "double" in tricks:
                self._used("double")
                others = [each for each, block in self.bag.blocks.items() if block.header.height == message.height]
                digest = rng.choice([*others, rng.randbytes(32)])
                return self._say(message.type, message.round, digest) if digest != message.digest else None
            case Type.ROUND_CHANGE if "amnesia" in tricks and message.prepared != NEVER:
                self._used("amnesia")
                return self._say(Type.ROUND_CHANGE, message.round, NOTHING_PREPARED)
            case Type.ROUND_CHANGE if "stale" in tricks:
                olds = self.bag.prepared(message.height, self.state.council.quorum, message.round)
                olds = [old for old in olds if old[0] != message.prepared]
                if olds:
                    self._used("stale")
                    round_, digest, seals = rng.choice(olds)
                    return self._say(Type.ROUND_CHANGE, message.round, digest, prepared=round_, certificate=seals)
            case _:
                pass
        return None

    # What it does besides.

    def deliver(self, sender: bytes, payload: Payload) -> None:
        if isinstance(payload, Message) and payload.seat < len(self.state.council.keys):
            self.bag.add(payload)
        super().deliver(sender, payload)
        if self.state.seat is None or not self.up:
            return
        if isinstance(payload, Get) and payload.digest and "bodies" in self.tricks:
            self._used("bodies")
            self.world.send(self.index, sender, other_block(self.rng, self.chain, self.now_ms))
        if isinstance(payload, Message) and sender in self.world.honest_keys:  # liars would go on for ever
            if "churn" in self.tricks:
                self.churn(payload)
            for react in self.reactions:
                if self.rng.random() < REACTION:
                    react(self, payload)

    def tick(self) -> None:
        super().tick()
        if self.state.seat is not None and self.moves:
            name, move = self.rng.choice(self.moves)
            self._used(name)
            move(self)

    # Reactions to a message.

    def alter(self, message: Message) -> None:
        self._used("alter")
        chosen = self.bag.some(self.rng, self.state.height) or message
        self._spread(altered(self.rng, self.bag, chosen, len(self.state.council.keys)))

    def recertify(self, message: Message) -> None:
        if message.type is Type.ROUND_CHANGE:
            self._used("recertify")
            self._spread(recertified(self.rng, self.bag, message, self.state.council.quorum))

    def malleate(self, message: Message) -> None:
        self._used("malleate")
        self._spread(malleated(self.rng, self.world.keyring, message))
        self._garble()

    def _garble(self) -> None:
        """The latest final block, its certificate or its body touched, for those who do not have it yet."""
        if not self.disk.blocks:
            return
        decided = self.disk.blocks[-1]
        first, *rest = decided.certificate.seals
        if self.rng.random() < 0.5:
            seal = Seal(first.seat, self.world.keyring.malleated(first.signature))
            decided = replace(decided, certificate=replace(decided.certificate, seals=(seal, *rest)))
        else:
            decided = replace(decided, block=Block(decided.block.header, (b"slipped in",)))
        self._spread(decided)

    def replay(self, message: Message) -> None:
        self._used("replay")
        self._spread(self.bag.some(self.rng, self.state.height) or message)

    def usurp(self, message: Message) -> None:
        """A proposal of a later round that nothing justifies."""
        council, rng, height = self.state.council, self.rng, self.state.height
        round_ = max(message.round if message.height == height else 0, self.state.round, 1)
        round_ += (self.seat - height - round_) % len(council.keys) if rng.random() < 0.8 else 0
        here = self.bag.changes.get((height, round_), {})
        changes = [here[seat].bare for seat in sorted(here)]
        certificate: tuple[Seal, ...] = ()
        block: Block = other_block(rng, self.chain, self.now_ms)
        own = self._say(Type.ROUND_CHANGE, round_, NOTHING_PREPARED)
        match rng.randrange(6):
            case 0:
                changes = [each for each in changes if each.prepared == NEVER]
            case 1:
                before = self.bag.changes.get((height, round_ - 1), {})
                changes = [replace(before[seat].bare, round=round_) for seat in sorted(before)]
            case 2:
                changes = [replace(own, seat=seat) for seat in range(council.quorum)]
            case 3:
                changes = [replace(each, prepared=NEVER, digest=NOTHING_PREPARED) for each in changes]
            case 4:
                seal = self._seal(Type.PREPARE, round_ - 1, block.digest)
                certificate = forged_seals(rng, self.bag, seal, len(council.keys), council.quorum)
            case _:
                olds = [old for old in self.bag.prepared(height, council.quorum, round_) if old[1] in self.bag.blocks]
                if olds:
                    _, digest, certificate = rng.choice(olds)
                    block = self.bag.blocks[digest]
        self._used("usurp")
        self._spread(
            self._say(Type.PROPOSAL, round_, block.digest, block=block, changes=tuple(changes), certificate=certificate)
        )
        self._vote_for(round_, block.digest)

    def churn(self, message: Message) -> None:
        if message.type is Type.ROUND_CHANGE and message.height == self.state.height:
            self._used("churn")
            self._spread(self._say(Type.ROUND_CHANGE, message.round + 1, NOTHING_PREPARED))

    # Moves on a tick.

    def own_lie(self) -> None:
        """Propose, prepare, commit and claim to have prepared a block of its own."""
        state, rng = self.state, self.rng
        make: Callable[..., Block] = rng.choice((other_block, invalid_block))
        block = make(rng, self.chain, self.now_ms)
        self._spread(self._say(Type.PROPOSAL, state.round, block.digest, block=block))
        self._vote_for(state.round, block.digest)
        seal = self._seal(Type.PREPARE, state.round, block.digest)
        self._spread(
            self._say(Type.ROUND_CHANGE, state.round + 1, block.digest, prepared=state.round, certificate=(seal,))
        )

    def forge(self) -> None:
        """Claim to have prepared a block that no quorum prepared."""
        state, rng, council = self.state, self.rng, self.state.council
        block = other_block(rng, self.chain, self.now_ms)
        self.bag.blocks[block.digest] = block
        for round_ in (max(state.round, 1), state.round + 1, state.round + 2):
            seal = self._seal(Type.PREPARE, round_ - 1, block.digest)
            seals = forged_seals(rng, self.bag, seal, len(council.keys), council.quorum)
            self._spread(self._say(Type.ROUND_CHANGE, round_, block.digest, prepared=round_ - 1, certificate=seals))

    def elsewhere(self) -> None:
        """What honest keys signed on another chain, or in another set, passed off as said here."""
        state, rng = self.state, self.rng
        digest = rng.choice([*self.bag.blocks, rng.randbytes(32)])
        type_, round_ = rng.choice((Type.PREPARE, Type.COMMIT, Type.ROUND_CHANGE)), state.round + rng.randint(0, 1)
        if type_ is Type.ROUND_CHANGE:
            digest, round_ = NOTHING_PREPARED, state.round + 1
        chain_id, keys = CHAIN_ID, state.council.keys[::-1] + state.council.keys
        if rng.random() < 0.5:
            chain_id, keys = OTHER_CHAIN, state.council.keys
        for seat, key in enumerate(state.council.keys):
            intent = Intent(key, chain_id, set_name(keys), int(type_), state.height, round_, NEVER, digest)
            self._spread(Message(type_, state.height, round_, digest, seat, self.world.sign(intent)))

    def spam(self) -> None:
        state, rng = self.state, self.rng
        for _ in range(4):
            height = state.height + rng.choice((0, 0, 1, 2, 1_000_000))
            round_ = rng.choice((state.round + 1, state.round + 7, 1 << 20, 1 << 62))
            type_ = rng.choice((Type.PREPARE, Type.COMMIT, Type.ROUND_CHANGE))
            digest = NOTHING_PREPARED if type_ is Type.ROUND_CHANGE else rng.randbytes(32)
            self._spread(self._say(type_, round_, digest, height=height))

    def fake_final(self) -> None:
        """A DECIDED that no quorum committed to, or not in these words."""
        self._garble()
        state, rng, council = self.state, self.rng, self.state.council
        block = rng.choice([*self.bag.blocks.values(), other_block(rng, self.chain, self.now_ms)])
        digest, height = block.digest, block.header.height
        found: dict[int, Seal] = {}
        for (type_, at, _, of), seals in self.bag.seals.items():
            if (at, of) == (height, digest) and (type_ == Type.COMMIT or rng.random() < 0.5):
                found.update(seals)
        if height == state.height:
            found[self.seat] = self._seal(Type.COMMIT, state.round, digest)
        seals_ = tuple(found[seat] for seat in sorted(found))[: council.quorum - rng.randint(0, 1)]
        if rng.random() < 0.2:
            seals_ = (seals_ * council.quorum)[: council.quorum]
        self._spread(Decided(block, Certificate(state.round, seals_)))

    def bodies(self) -> None:
        """A body that nobody asked for, or not the one that its header names."""
        block: Block = other_block(self.rng, self.chain, self.now_ms)
        wanted = [vote for vote in self.bag.messages[-50:] if vote.prepared != NEVER and vote.digest in self.bag.blocks]
        if wanted:
            block = Block(self.bag.blocks[self.rng.choice(wanted).digest].header, block.transactions)
        self._spread(block)

    def endless(self) -> None:
        """One round further than anybody."""
        here = [round_ for height, round_ in self.bag.changes if height == self.state.height and round_ < 1 << 16]
        self._spread(self._say(Type.ROUND_CHANGE, max([*here, self.state.round]) + 1, NOTHING_PREPARED))

    def ahead(self) -> None:
        """Propose out of turn and round."""
        self.usurp(self._say(Type.ROUND_CHANGE, self.state.round + 1, NOTHING_PREPARED))


REACTIONS: Final[dict[str, Callable[[Liar, Message], None]]] = {
    "alter": Liar.alter,
    "recertify": Liar.recertify,
    "malleate": Liar.malleate,
    "replay": Liar.replay,
    "usurp": Liar.usurp,
}
MOVES: Final[dict[str, Callable[[Liar], None]]] = {
    "own lie": Liar.own_lie,
    "forge": Liar.forge,
    "elsewhere": Liar.elsewhere,
    "spam": Liar.spam,
    "fake final": Liar.fake_final,
    "bodies": Liar.bodies,
    "churn": Liar.endless,
    "usurp": Liar.ahead,
}
