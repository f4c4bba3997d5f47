"""What anyone may show: two signed votes that prove a validator's equivocation."""

from __future__ import annotations

from dataclasses import dataclass

from salus_chain.codec import Value, fields, integer, octets


@dataclass(frozen=True, slots=True)
class SignedVote:
    """What a consensus signature covers besides the chain, and the signature; see `blocks.vote_bytes`."""

    validators_hash: bytes
    type: int
    height: int
    round: int
    prepared: int
    digest: bytes
    signature: bytes

    @property
    def slot(self) -> tuple[bytes, int, int, int]:
        """In which an honest validator signs one vote only."""
        return (self.validators_hash, self.type, self.height, self.round)

    def value(self) -> Value:
        return (
            self.validators_hash,
            self.type,
            self.height,
            self.round,
            self.prepared,
            self.digest,
            self.signature,
        )

    @classmethod
    def read(cls, value: Value) -> SignedVote:
        f = fields(value, 7, "vote")
        return cls(
            octets(f[0], "validators_hash", 32),
            integer(f[1], "type"),
            integer(f[2], "height"),
            integer(f[3], "round"),
            integer(f[4], "prepared", low=-1),
            octets(f[5], "digest", 32),
            octets(f[6], "signature", 64),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """One key's two votes of one slot that differ."""

    public_key: bytes
    first: SignedVote
    second: SignedVote

    def value(self) -> Value:
        return (self.public_key, self.first.value(), self.second.value())

    @classmethod
    def read(cls, value: Value) -> Evidence:
        key, first, second = fields(value, 3, "evidence")
        return cls(octets(key, "public_key", 33), SignedVote.read(first), SignedVote.read(second))
