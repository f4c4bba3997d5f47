"""Blocks: a header that fixes everything, the transactions, and the signatures that make it final."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final, NewType

from salus_chain import merkle
from salus_chain.codec import Value, decode, encode_trusted, fields, integer, items, octets
from salus_chain.rules.transactions import Seal

BlockDigest = NewType("BlockDigest", bytes)

MAX_BLOCK_BYTES: Final = 4 << 20
MAX_BLOCK_TRANSACTIONS: Final = 2_000
VOTE_DOMAIN: Final = b"salus/consensus/1"
NEVER: Final = -1  # in place of a round: nothing was prepared
COMMIT_VOTE: Final = 3  # the type number that a certificate's signatures cover; see consensus.Type


@dataclass(frozen=True, slots=True)
class Header:
    """What a block's digest covers. `state_root` is after execution; times are Unix milliseconds."""

    chain_id: bytes
    height: int
    time_ms: int
    parent: bytes
    transactions_root: bytes
    state_root: bytes
    validators_hash: bytes
    next_validators_hash: bytes

    @property
    def digest(self) -> BlockDigest:
        return _digest(self)

    def value(self) -> Value:
        return (
            self.chain_id,
            self.height,
            self.time_ms,
            self.parent,
            self.transactions_root,
            self.state_root,
            self.validators_hash,
            self.next_validators_hash,
        )

    @classmethod
    def read(cls, value: Value) -> Header:
        f = fields(value, 8, "header")
        return cls(
            octets(f[0], "chain_id", 32),
            integer(f[1], "height"),
            integer(f[2], "time_ms"),
            *(octets(each, "digest", 32) for each in f[3:]),
        )


@lru_cache(maxsize=16)  # of a few blocks, asked again and again while they become final
def _digest(header: Header) -> BlockDigest:
    return BlockDigest(sha256(encode_trusted(header.value())).digest())


@dataclass(frozen=True, slots=True)
class Block:
    """A header and the bytes of its transactions, in order."""

    header: Header
    transactions: tuple[bytes, ...]

    @property
    def digest(self) -> BlockDigest:
        return self.header.digest

    @property
    def whole(self) -> bool:
        """Whether the transactions are those that the header, and so every signature over it, names."""
        return transactions_root(self.transactions) == self.header.transactions_root

    def value(self) -> Value:
        return (self.header.value(), self.transactions)

    @classmethod
    def read(cls, value: Value) -> Block:
        header, transactions = fields(value, 2, "block")
        return cls(
            Header.read(header),
            items(transactions, lambda tx: octets(tx, "transaction"), "transactions", MAX_BLOCK_TRANSACTIONS),
        )


@dataclass(frozen=True, slots=True)
class Certificate:
    """Exactly a quorum of COMMIT signatures of one consensus round over a block's digest, sorted by seat."""

    round: int
    seals: tuple[Seal, ...]

    def value(self) -> Value:
        return (self.round, tuple(seal.value() for seal in self.seals))

    @classmethod
    def read(cls, value: Value) -> Certificate:
        number, seals = fields(value, 2, "certificate")
        return cls(integer(number, "round"), items(seals, Seal.read, "seals", 1024))


@lru_cache(maxsize=4)  # of one block: when it is built or executed, proposed and decided
def transactions_root(transactions: tuple[bytes, ...]) -> bytes:
    return merkle.root(transactions)


@lru_cache(maxsize=1024)  # the seats of a council sign the same
def vote_bytes(
    chain_id: bytes, validators_hash: bytes, type_: int, height: int, round_: int, digest: bytes, prepared: int = NEVER
) -> bytes:
    """What a consensus signature covers, under VOTE_DOMAIN.

    `prepared` is the round of a ROUND-CHANGE's prepared block, whose digest is then `digest`.
    """
    return encode_trusted((chain_id, validators_hash, int(type_), height, round_, prepared, digest))


def encode_block(block: Block) -> bytes:
    return encode_trusted(block.value())


def decode_block(data: bytes) -> Block:
    """Raises DecodeError."""
    return Block.read(decode(data, MAX_BLOCK_BYTES))
