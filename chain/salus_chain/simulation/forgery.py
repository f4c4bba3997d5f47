"""False messages: what a liar can make of what all liars have seen, and of its own key."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from salus_chain.consensus.messages import NOTHING_PREPARED, Message, Type
from salus_chain.rules.blocks import NEVER, Block
from salus_chain.rules.transactions import Seal
from salus_chain.simulation.keyring import Keyring
from salus_chain.simulation.toychain import Chain, SealedBlock, build

REMEMBERED: Final = 300
VOTES: Final = (Type.PREPARE, Type.COMMIT)


@dataclass(slots=True)
class Bag:
    """All signed messages that reached a liar; liars share it."""

    messages: list[Message] = field(default_factory=list)
    seals: dict[tuple[int, int, int, bytes], dict[int, Seal]] = field(default_factory=dict)
    changes: dict[tuple[int, int], dict[int, Message]] = field(default_factory=dict)
    blocks: dict[bytes, Block] = field(default_factory=dict)

    def add(self, message: Message) -> None:
        if len(self.messages) < REMEMBERED:
            self.messages.append(message)
        if message.block is not None:
            self.blocks[message.digest] = message.block
        if message.type is Type.ROUND_CHANGE:
            self.changes.setdefault((message.height, message.round), {})[message.seat] = message
            if message.certificate:
                place = (int(Type.PREPARE), message.height, message.prepared, message.digest)
                self.seals.setdefault(place, {}).update((seal.seat, seal) for seal in message.certificate)
        elif message.type in VOTES:
            place = (int(message.type), message.height, message.round, message.digest)
            self.seals.setdefault(place, {})[message.seat] = Seal(message.seat, message.signature)

    def some(self, rng: Random, height: int) -> Message | None:
        """A message, mostly of a height."""
        here = [each for each in self.messages[-80:] if each.height == height]
        if here and rng.random() < 0.9:
            return rng.choice(here)
        return rng.choice(self.messages) if self.messages else None

    def prepared(self, height: int, least: int, before: int) -> list[tuple[int, bytes, tuple[Seal, ...]]]:
        """(round, digest, PREPAREs) of blocks of a height that at least so many prepared, in rounds before one."""
        return [
            (round_, digest, tuple(seals[seat] for seat in sorted(seals))[:least])
            for (type_, at, round_, digest), seals in self.seals.items()
            if (type_, at) == (Type.PREPARE, height) and round_ < before and len(seals) >= least
        ]


def other_block(rng: Random, chain: Chain, now_ms: int) -> SealedBlock:
    """A valid block that nobody else would build."""
    return build(chain, (b"lie %d" % rng.randrange(1 << 30),), now_ms)


def invalid_block(rng: Random, chain: Chain, now_ms: int) -> Block:
    """A block that must not become final."""
    good = other_block(rng, chain, now_ms)
    header = good.header
    match rng.randrange(7):
        case 0:
            return SealedBlock(replace(header, state_root=bytes(32)), good.transactions)
        case 1:
            return SealedBlock(replace(header, parent=bytes(32)), good.transactions)
        case 2:
            return SealedBlock(replace(header, time_ms=now_ms + 60_000), good.transactions)
        case 3:
            return Block(header, (*good.transactions, b"slipped in"))
        case 4:
            return SealedBlock(replace(header, validators_hash=bytes(32)), good.transactions)
        case 5:
            return SealedBlock(replace(header, height=header.height + rng.choice((-1, 1))), good.transactions)
        case _:
            return SealedBlock(replace(header, time_ms=chain.time_ms), good.transactions)


def altered(rng: Random, bag: Bag, message: Message, seats: int) -> Message:
    """An honest message with one field changed, its signature kept."""
    match rng.randrange(6):
        case 0:
            return replace(message, type=rng.choice([each for each in Type if each is not message.type])).bare
        case 1:
            return replace(message, round=max(0, message.round + rng.choice((-1, 1, 1, 2))))
        case 2:
            return replace(message, height=message.height + rng.choice((-1, 1)))
        case 3:
            return replace(message, seat=rng.randrange(-1, seats + 1))
        case 4:
            digests = [digest for _, _, _, digest in bag.seals] or [NOTHING_PREPARED]
            return replace(message, digest=rng.choice(digests))
        case _:
            return replace(message, prepared=rng.choice((NEVER, max(0, message.round - 1), 0)), certificate=())


def recertified(rng: Random, bag: Bag, change: Message, quorum: int) -> Message:
    """An honest ROUND-CHANGE that now proves another, mostly older, lock."""
    olds = bag.prepared(change.height, quorum, change.round)
    if not olds or rng.random() < 0.2:
        return replace(change, digest=NOTHING_PREPARED, prepared=NEVER, certificate=())
    round_, digest, seals = rng.choice(olds)
    if rng.random() < 0.3:
        return replace(change, certificate=seals)
    return replace(change, prepared=round_, digest=digest, certificate=seals)


def malleated(rng: Random, keyring: Keyring, message: Message) -> Message:
    """The same vote under the other signature that ECDSA allows: its own, or one inside it."""
    if message.certificate and rng.random() < 0.5:
        first, *rest = message.certificate
        return replace(message, certificate=(Seal(first.seat, keyring.malleated(first.signature)), *rest))
    return replace(message, signature=keyring.malleated(message.signature))


def forged_seals(rng: Random, bag: Bag, own: Seal, seats: int, quorum: int) -> tuple[Seal, ...]:
    """Something like a quorum of PREPAREs."""
    genuine = [tuple(each[seat] for seat in sorted(each)) for each in bag.seals.values()]
    match rng.randrange(4):
        case 0 if genuine:
            return rng.choice(genuine)[:quorum]
        case 1:
            return (own,) * quorum
        case 2:
            return tuple(Seal(seat, own.signature) for seat in range(min(quorum, seats)))
        case _:
            return (own,)
