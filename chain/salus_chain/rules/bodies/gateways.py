"""What a gateway says: its commit to one update, with validators' receipts for the bytes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from salus_chain import merkle
from salus_chain.codec import Value, encode, fields, identifier, integer, items, octets

if TYPE_CHECKING:
    from salus_chain.keys import Signer

RECEIPT_DOMAIN: Final = b"salus/receipt/1"
NO_SCORE: Final = -1  # the gateway's hospital has attested nothing

CommitRow: TypeAlias = tuple[str, bytes, int, int]  # gateway, update digest, weight, score


@dataclass(frozen=True, slots=True)
class UpdateHeader:
    """What an update is of.

    `weight` counts the gateway's patients that took part; `d` is the body's length.
    """

    chain_id: bytes
    task: str
    round: int
    gateway: str
    base_model_digest: bytes
    layout_digest: bytes
    weight: int
    d: int

    def value(self) -> Value:
        return (
            self.chain_id,
            self.task.encode(),
            self.round,
            self.gateway.encode(),
            self.base_model_digest,
            self.layout_digest,
            self.weight,
            self.d,
        )

    @classmethod
    def read(cls, value: Value) -> UpdateHeader:
        f = fields(value, 8, "update header")
        return cls(
            octets(f[0], "chain_id", 32),
            identifier(f[1], "task"),
            integer(f[2], "round"),
            identifier(f[3], "gateway"),
            octets(f[4], "base_model_digest", 32),
            octets(f[5], "layout_digest", 32),
            integer(f[6], "weight"),
            integer(f[7], "d"),
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """A validator's signature that it stores an update, durably, and checked its header."""

    public_key: bytes
    signature: bytes

    def value(self) -> Value:
        return (self.public_key, self.signature)

    @classmethod
    def read(cls, value: Value) -> Receipt:
        key, signature = fields(value, 2, "receipt")
        return cls(octets(key, "receipt key", 33), octets(signature, "receipt signature", 64))


@dataclass(frozen=True, slots=True)
class Commit:
    """A gateway commits to its update of a round: the update's header, its digest, and who stores it."""

    header: UpdateHeader
    digest: bytes
    receipts: tuple[Receipt, ...]

    @property
    def task(self) -> str:
        return self.header.task

    @property
    def round(self) -> int:
        return self.header.round

    @property
    def gateway(self) -> str:
        return self.header.gateway

    def value(self) -> Value:
        return (self.header.value(), self.digest, tuple(receipt.value() for receipt in self.receipts))

    @classmethod
    def read(cls, value: Value) -> Commit:
        header, digest, receipts = fields(value, 3, "commit")
        return cls(
            UpdateHeader.read(header),
            octets(digest, "digest", 32),
            items(receipts, Receipt.read, "receipts", 256),
        )


def commit_set_root(rows: Iterable[CommitRow]) -> bytes:
    """What a settlement names its commits by: a Merkle root over the rows, sorted by gateway."""
    leaves = sorted((gateway.encode(), digest, weight, score) for gateway, digest, weight, score in rows)
    return merkle.root([encode(leaf) for leaf in leaves])


def receipt_bytes(header: UpdateHeader, digest: bytes) -> bytes:
    """What a validator signs, under RECEIPT_DOMAIN: it stores the bytes of this digest, and this is their header."""
    return encode((header.value(), digest))


def sign_receipt(signer: Signer, header: UpdateHeader, digest: bytes) -> Receipt:
    return Receipt(signer.public_key, signer.sign(RECEIPT_DOMAIN, receipt_bytes(header, digest)))
