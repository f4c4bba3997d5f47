"""What validators sign to make a block final, and when such a message may be believed.

A signature covers (chain id, validator set, type, height, round, prepared round, digest), so that it can be
passed off as nothing else. A ROUND-CHANGE's digest is of the block that its seat prepared, 32 zero bytes when
there is none; its certificate is a quorum of PREPAREs of exactly that round and digest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, TypeAlias

from salus_chain.genesis import faults, quorum, set_hash
from salus_chain.rules.blocks import NEVER, VOTE_DOMAIN, Block, Certificate, vote_bytes
from salus_chain.rules.transactions import Seal

Verify: TypeAlias = Callable[[bytes, bytes, bytes, bytes], bool]  # (public key, signature, domain, message)
NOTHING_PREPARED: Final = bytes(32)


class Type(IntEnum):
    """The types of signed messages, as their signatures cover them."""

    PROPOSAL = 1
    PREPARE = 2
    COMMIT = 3
    ROUND_CHANGE = 4


@dataclass(frozen=True, slots=True)
class Message:
    """A signed vote. What is not signed proves itself: a block by its digest, certificates by signatures."""

    type: Type
    height: int
    round: int
    digest: bytes
    seat: int
    signature: bytes
    prepared: int = NEVER  # of a ROUND-CHANGE: the round in which its seat prepared the block of `digest`
    block: Block | None = None  # of a PROPOSAL
    certificate: tuple[Seal, ...] = ()  # the PREPAREs of a prepared block, in a ROUND-CHANGE or its re-PROPOSAL
    changes: tuple[Message, ...] = ()  # of a PROPOSAL after round 0: the bare ROUND-CHANGEs that justify it

    @property
    def bare(self) -> Message:
        """The signed part alone."""
        return self if self.is_bare else replace(self, block=None, certificate=(), changes=())

    @property
    def is_bare(self) -> bool:
        return self.block is None and not self.certificate and not self.changes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A lock: the block that a quorum prepared in a round, with their PREPARE signatures."""

    round: int
    block: Block
    certificate: tuple[Seal, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """A final block and what proves it."""

    block: Block
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Council:
    """The validators of one height, by seat, and how their signatures are checked."""

    chain_id: bytes
    keys: tuple[bytes, ...]
    hash: bytes
    verify: Verify

    @classmethod
    def of(cls, chain_id: bytes, keys: tuple[bytes, ...], verify: Verify) -> Council:
        return cls(chain_id, keys, set_hash(keys), verify)

    @property
    def quorum(self) -> int:
        return quorum(len(self.keys))

    @property
    def faults(self) -> int:
        return faults(len(self.keys))

    def proposer(self, height: int, round_: int) -> int:
        """The seat whose turn it is."""
        return (height + round_) % len(self.keys)

    def covered(self, type_: Type, height: int, round_: int, digest: bytes, prepared: int = NEVER) -> bytes:
        """What the signature of such a vote covers."""
        return vote_bytes(self.chain_id, self.hash, type_, height, round_, digest, prepared)


def is_signed(council: Council, message: Message) -> bool:
    """Whether the seat that a message names signed it."""
    if not 0 <= message.seat < len(council.keys):
        return False
    covered = council.covered(message.type, message.height, message.round, message.digest, message.prepared)
    return council.verify(council.keys[message.seat], message.signature, VOTE_DOMAIN, covered)


def is_valid(council: Council, message: Message) -> bool:
    """Whether a message is signed, well-formed, and proves what it claims."""
    match message.type:
        case Type.PROPOSAL:
            return _is_proposal(council, message) and is_signed(council, message) and _is_justified(council, message)
        case Type.ROUND_CHANGE:
            return _is_round_change(message) and is_signed(council, message) and _is_locked(council, message)
        case _:
            return message.is_bare and message.prepared == NEVER and is_signed(council, message)


def is_decided(council: Council, decided: Decided) -> bool:
    """Whether exactly a quorum of this council committed to the block, in one round."""
    header, certificate = decided.block.header, decided.certificate
    covered = council.covered(Type.COMMIT, header.height, certificate.round, header.digest)
    return decided.block.whole and has_quorum(council, certificate.seals, covered)


def has_quorum(council: Council, seals: Sequence[Seal], covered: bytes) -> bool:
    """Whether these are exactly a quorum of signatures over `covered`, of distinct seats in order."""
    seats = [seal.seat for seal in seals]
    if (
        len(seats) != council.quorum
        or seats != sorted(set(seats))
        or not 0 <= seats[0] <= seats[-1] < len(council.keys)
    ):
        return False
    return all(council.verify(council.keys[seal.seat], seal.signature, VOTE_DOMAIN, covered) for seal in seals)


def _is_proposal(council: Council, message: Message) -> bool:
    block = message.block
    if block is None or message.prepared != NEVER or message.seat != council.proposer(message.height, message.round):
        return False
    return block.digest == message.digest and block.header.height == message.height and block.whole


def _is_round_change(message: Message) -> bool:
    if message.block is not None or message.changes or message.round < 1:
        return False
    if message.prepared == NEVER:
        return message.digest == NOTHING_PREPARED and not message.certificate
    return 0 <= message.prepared < message.round


def _is_locked(council: Council, change: Message) -> bool:
    """Whether what a ROUND-CHANGE claims to have prepared was prepared, in that very round."""
    if change.prepared == NEVER:
        return True
    covered = council.covered(Type.PREPARE, change.height, change.prepared, change.digest)
    return has_quorum(council, change.certificate, covered)


def _is_justified(council: Council, proposal: Message) -> bool:
    """Round 0 takes any block. Later, a quorum left for this round, and none of it prepared another block later
    than the one proposed again (Moniz, algorithm 4: JustifyPrePrepare).
    """
    if proposal.round == 0:
        return not proposal.changes and not proposal.certificate
    changes = proposal.changes
    seats = [change.seat for change in changes]
    if len(seats) < council.quorum or len(seats) > len(council.keys) or seats != sorted(set(seats)):
        return False
    place = (Type.ROUND_CHANGE, proposal.height, proposal.round)
    for change in changes:
        here = change.is_bare and (change.type, change.height, change.round) == place
        if not here or not change.prepared < change.round or not is_signed(council, change):
            return False
    highest = max(change.prepared for change in changes)
    if highest == NEVER:
        return not proposal.certificate
    covered = council.covered(Type.PREPARE, proposal.height, highest, proposal.digest)
    return has_quorum(council, proposal.certificate, covered)
