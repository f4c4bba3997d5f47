"""What a coordinator asks of a builder: to requantise settled weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from salus_chain.codec import decode, encode, fields, integer, octets
from salus_chain.errors import DecodeError

TAG: Final = b"salus/requantise"


@dataclass(frozen=True, slots=True)
class Order:
    """What to requantise: the shared model int32 (D,) as bytes, and where it comes from."""

    model: bytes
    settled_model_digest: bytes
    settled_round: int
    version: int
    parent_sha256: bytes

    def encode(self) -> bytes:
        """Canonical CBOR, the body of `POST /requantise`."""
        return encode(
            (TAG, self.model, self.settled_model_digest, self.settled_round, self.version, self.parent_sha256)
        )

    @staticmethod
    def decode(data: bytes) -> Order:
        """Raises DecodeError."""
        tag, model, digest, number, version, parent = fields(decode(data), 6, "requantise order")
        if tag != TAG:
            raise DecodeError("requantise order: another tag")
        return Order(
            octets(model, "model"),
            octets(digest, "settled_model_digest", 32),
            integer(number, "settled_round"),
            integer(version, "version", high=(1 << 32) - 1),
            octets(parent, "parent_sha256"),
        )
