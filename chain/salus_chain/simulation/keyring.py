"""The simulation's signatures, and the record of what was really signed.

Two schemes: P-256 through `salus_chain.keys`, and a fast one that is unforgeable by construction, since it verifies by
looking up what was issued. Both record what each signature was *meant* to say, without the encoding under test.
"""

from __future__ import annotations

from functools import cache
from hashlib import blake2b, sha256
from typing import NamedTuple, Protocol

from salus_chain.consensus.messages import Type
from salus_chain.genesis import set_hash
from salus_chain.rules.blocks import VOTE_DOMAIN, vote_bytes

HALF: int = 1 << 255


class Intent(NamedTuple):
    """What a seat meant to sign."""

    key: bytes
    chain_id: bytes
    validators: bytes  # the set's hash
    type: int
    height: int
    round: int
    prepared: int
    digest: bytes


class Keyring(Protocol):
    """Keys of all nodes, and how they sign."""

    def key(self, index: int) -> bytes:
        """The public key of a node: 33 bytes."""

    def sign(self, intent: Intent) -> bytes:
        """64 bytes r‖s."""

    def meant(self, signature: bytes) -> list[Intent]:
        """All that this very signature was issued for."""

    def verify(self, public_key: bytes, signature: bytes, domain: bytes, message: bytes) -> bool:
        """Whether the signature is the key's over this message."""

    def malleated(self, signature: bytes) -> bytes:
        """The other signature (r, −s) that plain ECDSA takes for the same message."""


class FastKeyring:
    """Signatures by hash; verified by lookup."""

    def __init__(self) -> None:
        self._issued: dict[tuple[bytes, bytes], bytes] = {}
        self._intents: dict[bytes, list[Intent]] = {}

    def key(self, index: int) -> bytes:
        return _fast_key(index)

    def sign(self, intent: Intent) -> bytes:
        message = _covered(intent)
        raw = blake2b(intent.key + message).digest()
        signature = raw[:32] + bytes([raw[32] & 0x7F]) + raw[33:]
        self._issued[intent.key, message] = signature
        _remember(self._intents, signature, intent)
        return signature

    def meant(self, signature: bytes) -> list[Intent]:
        return self._intents.get(signature, [])

    def verify(self, public_key: bytes, signature: bytes, domain: bytes, message: bytes) -> bool:
        return domain == VOTE_DOMAIN and self._issued.get((public_key, message)) == signature

    def malleated(self, signature: bytes) -> bytes:
        return signature[:32] + bytes([signature[32] ^ 0x80]) + signature[33:]


class CurveKeyring:
    """Real P-256 signatures of fixed keys."""

    def __init__(self) -> None:
        from salus_chain import keys

        self._keys = keys
        self._intents: dict[bytes, list[Intent]] = {}
        self._signers = {signer.public_key: signer for signer in map(_curve_signer, range(32))}

    def key(self, index: int) -> bytes:
        return _curve_signer(index).public_key

    def sign(self, intent: Intent) -> bytes:
        signature = self._signers[intent.key].sign(VOTE_DOMAIN, _covered(intent))
        _remember(self._intents, signature, intent)
        return signature

    def meant(self, signature: bytes) -> list[Intent]:
        return self._intents.get(signature, [])

    def verify(self, public_key: bytes, signature: bytes, domain: bytes, message: bytes) -> bool:
        return self._keys.verify(public_key, signature, domain, message)

    def malleated(self, signature: bytes) -> bytes:
        s = int.from_bytes(signature[32:], "big")
        return signature[:32] + (self._keys.ORDER - s).to_bytes(32, "big")


class _Signer(Protocol):
    @property
    def public_key(self) -> bytes: ...

    def sign(self, domain: bytes, message: bytes) -> bytes: ...


@cache
def _fast_key(index: int) -> bytes:
    return b"\x02" + sha256(b"salus/simulation/key/%d" % index).digest()


@cache
def _curve_signer(index: int) -> _Signer:
    from cryptography.hazmat.primitives.asymmetric import ec

    from salus_chain.keys import KeySigner

    return KeySigner(ec.derive_private_key(0x5A105 + index, ec.SECP256R1()))


@cache
def set_name(keys: tuple[bytes, ...]) -> bytes:
    """The hash that names a validator set."""
    return set_hash(keys)


def _covered(intent: Intent) -> bytes:
    return vote_bytes(
        intent.chain_id,
        intent.validators,
        Type(intent.type),
        intent.height,
        intent.round,
        intent.digest,
        intent.prepared,
    )


def _remember(intents: dict[bytes, list[Intent]], signature: bytes, intent: Intent) -> None:
    known = intents.setdefault(signature, [])
    if intent not in known:
        known.append(intent)
