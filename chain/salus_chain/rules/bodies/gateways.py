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
class Receipt:
    """A validator's signature that it stores, durably, the bytes of an update."""

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

    task: str
    round: int
    gateway: str
    base_model_digest: bytes
    layout_digest: bytes
    weight: int
    d: int
    digest: bytes
    receipts: tuple[Receipt, ...]

    def value(self) -> Value:
        return (
            self.task.encode(),
            self.round,
            self.gateway.encode(),
            self.base_model_digest,
            self.layout_digest,
            self.weight,
            self.d,
            self.digest,
            tuple(receipt.value() for receipt in self.receipts),
        )

    @classmethod
    def read(cls, value: Value) -> Commit:
        f = fields(value, 9, "commit")
        return cls(
            task=identifier(f[0], "task"),
            round=integer(f[1], "round"),
            gateway=identifier(f[2], "gateway"),
            base_model_digest=octets(f[3], "base_model_digest", 32),
            layout_digest=octets(f[4], "layout_digest", 32),
            weight=integer(f[5], "weight"),
            d=integer(f[6], "d"),
            digest=octets(f[7], "digest", 32),
            receipts=items(f[8], Receipt.read, "receipts", 256),
        )


def commit_set_root(rows: Iterable[CommitRow]) -> bytes:
    """What a settlement names its commits by: a Merkle root over the rows, sorted by gateway."""
    leaves = sorted((gateway.encode(), digest, weight, score) for gateway, digest, weight, score in rows)
    return merkle.root([encode(leaf) for leaf in leaves])


def receipt_bytes(chain_id: bytes, digest: bytes) -> bytes:
    """What a validator signs, under RECEIPT_DOMAIN, to say that it stores the bytes of this digest."""
    return encode((chain_id, digest))


def sign_receipt(chain_id: bytes, signer: Signer, digest: bytes) -> Receipt:
    return Receipt(signer.public_key, signer.sign(RECEIPT_DOMAIN, receipt_bytes(chain_id, digest)))
