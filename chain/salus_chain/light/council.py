"""Who decides which block, followed from the genesis, or from a later checkpoint, by changes that prove themselves.

A header names the validators of its own block and of the next by their hashes. Where the two differ the set
changes: such a header, final by the old set, and the new set's keys are all that it takes to follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from salus_chain.codec import Value, decode, encode, fields, integer, items, octets
from salus_chain.errors import DecodeError, ProofError
from salus_chain.genesis import Genesis, quorum, set_hash
from salus_chain.rules.blocks import COMMIT_VOTE, VOTE_DOMAIN, Certificate, Header, vote_bytes
from salus_chain.rules.transactions import Seal

CHECKPOINT_TAG: Final = b"salus/checkpoint/1"

Verify: TypeAlias = Callable[[bytes, bytes, bytes, bytes], bool]  # (public key, signature, domain, message)
Say: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What is taken as given: from block `height` on these keys decide, by seat, until a change proves another set.

    With it an old set, whose keys may be lost by now, can rewrite nothing after it.
    """

    height: int
    validators: tuple[bytes, ...]

    def to_bytes(self, chain_id: bytes) -> bytes:
        """What a file holds."""
        return encode((CHECKPOINT_TAG, chain_id, self.height, self.validators))

    @classmethod
    def from_bytes(cls, chain_id: bytes, data: bytes) -> Checkpoint:
        """Raises DecodeError: not a checkpoint, or another chain's."""
        tag, chain, height, keys = fields(decode(data, 1 << 16), 4, "checkpoint")
        if tag != CHECKPOINT_TAG or chain != chain_id:
            raise DecodeError("checkpoint: not a checkpoint of this chain")
        validators = items(keys, lambda key: octets(key, "key", 33), "validators", 1024)
        if not validators:
            raise DecodeError("checkpoint: it has no validators")
        return cls(integer(height, "height", low=1), validators)


def genesis_checkpoint(genesis: Genesis) -> Checkpoint:
    return Checkpoint(1, genesis.keys)


@dataclass(frozen=True, slots=True)
class Change:
    """The header after which another set decides, its certificate by the old set, and the new set's keys."""

    header: Header
    certificate: Certificate
    validators: tuple[bytes, ...]

    def value(self) -> Value:
        return (self.header.value(), self.certificate.value(), self.validators)

    @classmethod
    def read(cls, value: Value) -> Change:
        header, certificate, keys = fields(value, 3, "change")
        validators = items(keys, lambda key: octets(key, "key", 33), "validators", 1024)
        return cls(Header.read(header), Certificate.read(certificate), validators)


@dataclass(frozen=True, slots=True)
class Witness:
    """Checks headers and statements against the sets that it follows."""

    genesis: Genesis
    verify: Verify

    def name(self, key: bytes) -> str:
        """As the genesis calls it; a later validator by its key."""
        names = {each.public_key: each.name for each in self.genesis.validators}
        return names.get(key, key.hex()[:16])

    def names(self, at: Checkpoint, seals: Sequence[Seal]) -> str:
        return ", ".join(self.name(at.validators[seal.seat]) for seal in seals)

    def follow(self, at: Checkpoint, change: Change) -> Checkpoint:
        """The checkpoint after a change. Raises ProofError."""
        header = change.header
        where = f"change of validators at block {header.height}"
        self.check_final(at, header, change.certificate, where)
        if header.next_validators_hash == header.validators_hash:
            raise ProofError(f"{where}: its header announces no other set")
        if set_hash(change.validators) != header.next_validators_hash:
            raise ProofError(f"{where}: the keys listed are not those that its header announces")
        return Checkpoint(header.height + 1, change.validators)

    def check_final(self, at: Checkpoint, header: Header, certificate: Certificate, where: str) -> None:
        """That a block of this header is final by the set of the checkpoint. Raises ProofError."""
        if header.chain_id != self.genesis.chain_id:
            raise ProofError(f"chain: the proof is of chain {header.chain_id.hex()[:16]}, not of this genesis")
        if header.height < at.height:
            raise ProofError(f"{where}: it is before block {at.height}, from which on the validators are known")
        if header.validators_hash != set_hash(at.validators):
            raise ProofError(f"validators: {where} was decided by another set than the one that is known to decide it")
        message = vote_bytes(
            header.chain_id, header.validators_hash, COMMIT_VOTE, header.height, certificate.round, header.digest
        )
        self.check_quorum(at, certificate.seals, VOTE_DOMAIN, message, where)

    def check_quorum(self, at: Checkpoint, seals: Sequence[Seal], domain: bytes, message: bytes, where: str) -> None:
        """Exactly a quorum of distinct seats, sorted, all of whose signatures verify. Raises ProofError."""
        wanted, seats = quorum(len(at.validators)), [seal.seat for seal in seals]
        if len(seats) != wanted or seats != sorted(set(seats)) or seats[-1] >= len(at.validators):
            raise ProofError(f"{where}: {wanted} signatures of distinct seats, sorted, are wanted; it has {seats}")
        for seal in seals:
            key = at.validators[seal.seat]
            if not self.verify(key, seal.signature, domain, message):
                raise ProofError(f"{where}: the signature of {self.name(key)} does not verify")
