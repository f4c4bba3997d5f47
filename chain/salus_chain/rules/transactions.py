"""Transactions: how what a signer asks of the chain is written and signed. The bodies stand in `bodies`.

A transaction is the canonical array [chain id, kind, sender, nonce, body, signatures]; its id is the SHA-256
of those bytes. One with a single signer names that key as sender, counts its nonce up by one from 0, and has
one signature over the first five fields. One of a quorum has an empty sender and nonce 0; each validator
signs the *statement* (chain id, validator set, kind, body), and the signatures stand sorted by seat. Evidence
carries its own signatures: it has an empty sender, nonce 0 and none beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NewType, TypeAlias

from salus_chain.codec import Value, decode, encode, fields, integer, items, octets
from salus_chain.errors import DecodeError
from salus_chain.genesis import set_hash
from salus_chain.rules.bodies.anyone import Evidence, SignedVote
from salus_chain.rules.bodies.coordinators import ROUND_KINDS, OpenRound
from salus_chain.rules.bodies.gateways import (
    NO_SCORE,
    RECEIPT_DOMAIN,
    Commit,
    CommitRow,
    Receipt,
    commit_set_root,
    receipt_bytes,
    sign_receipt,
)
from salus_chain.rules.bodies.hospitals import Attest, Consent, Enrol, Revoke, Withdraw
from salus_chain.rules.bodies.quorums import (
    ApproveModel,
    ApproveRelease,
    Authorize,
    Change,
    Deauthorize,
    Settle,
    SetValidators,
)

if TYPE_CHECKING:  # the auditor reads transactions without the library that signs them
    from salus_chain.keys import Signer

__all__ = [
    "BODIES",
    "KINDS",
    "NO_SCORE",
    "QUORUM_KINDS",
    "RECEIPT_DOMAIN",
    "ROUND_KINDS",
    "ApproveModel",
    "ApproveRelease",
    "Attest",
    "Authorize",
    "Body",
    "Change",
    "Commit",
    "CommitRow",
    "Consent",
    "Deauthorize",
    "Enrol",
    "Evidence",
    "Kind",
    "OpenRound",
    "Receipt",
    "Revoke",
    "Seal",
    "SetValidators",
    "Settle",
    "SignedVote",
    "Statement",
    "Transaction",
    "TxId",
    "Withdraw",
    "commit_set_root",
    "evidence_transaction",
    "quorum_transaction",
    "read_transaction",
    "receipt_bytes",
    "sign_receipt",
    "sign_transaction",
    "statement_bytes",
]

TxId = NewType("TxId", bytes)

TX_DOMAIN: Final = b"salus/transaction/1"
STATEMENT_DOMAIN: Final = b"salus/statement/1"
MAX_TX_BYTES: Final = 1 << 18
MAX_TX_ITEMS: Final = 1 << 13
CACHED_TX_BYTES: Final = 4_096  # a commit with 34 receipts; larger ones are decoded anew, so the cache stays small
ARRAY_OF_5: Final = b"\x85"
SIGNATURE_ITEM_BYTES: Final = 66  # a single sender's signature with its CBOR head, at the end of a transaction


class Kind(IntEnum):
    """The kinds of transactions, by signer: below 10 a hospital, 10 a gateway, 20 a coordinator, 30 a quorum."""

    ENROL = 1
    REVOKE = 2
    CONSENT = 3
    WITHDRAW = 4
    ATTEST = 5
    COMMIT = 10
    OPEN_ROUND = 20
    SETTLE = 30
    AUTHORIZE = 31
    DEAUTHORIZE = 32
    APPROVE_MODEL = 33
    APPROVE_RELEASE = 34
    SET_VALIDATORS = 35
    EVIDENCE = 40


Statement: TypeAlias = Settle | Authorize | Deauthorize | ApproveModel | ApproveRelease | SetValidators
Body: TypeAlias = Enrol | Revoke | Consent | Withdraw | Attest | OpenRound | Commit | Statement | Evidence

BODIES: Final[dict[Kind, type[Body]]] = {
    Kind.ENROL: Enrol,
    Kind.REVOKE: Revoke,
    Kind.CONSENT: Consent,
    Kind.WITHDRAW: Withdraw,
    Kind.ATTEST: Attest,
    Kind.COMMIT: Commit,
    Kind.OPEN_ROUND: OpenRound,
    Kind.SETTLE: Settle,
    Kind.AUTHORIZE: Authorize,
    Kind.DEAUTHORIZE: Deauthorize,
    Kind.APPROVE_MODEL: ApproveModel,
    Kind.APPROVE_RELEASE: ApproveRelease,
    Kind.SET_VALIDATORS: SetValidators,
    Kind.EVIDENCE: Evidence,
}
KINDS: Final[dict[type[Body], Kind]] = {body: kind for kind, body in BODIES.items()}
_KINDS: Final[dict[int, Kind]] = {int(kind): kind for kind in Kind}  # in a tenth of the time of `Kind(number)`
QUORUM_KINDS: Final = frozenset(kind for kind in Kind if Kind.SETTLE <= kind < Kind.EVIDENCE)


@dataclass(frozen=True, slots=True)
class Seal:
    """One signature of a quorum: the seat (index in the validator set) and 64 bytes."""

    seat: int
    signature: bytes

    def value(self) -> Value:
        return (self.seat, self.signature)

    @classmethod
    def read(cls, value: Value) -> Seal:
        seat, signature = fields(value, 2, "seal")
        return cls(integer(seat, "seat", high=1 << 16), octets(signature, "signature", 64))


@dataclass(frozen=True, slots=True)
class Transaction:
    """A decoded transaction with its own bytes and their digest.

    `signature` is a single sender's, `seals` are a quorum's; evidence has neither.
    """

    chain_id: bytes
    kind: Kind
    sender: bytes
    nonce: int
    body: Body
    signature: bytes
    seals: tuple[Seal, ...]
    data: bytes
    id: TxId

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def signed_bytes(self) -> bytes:
        """What the single sender signs: the canonical array of the first five fields."""
        return ARRAY_OF_5 + self.data[1:-SIGNATURE_ITEM_BYTES]


def read_transaction(data: bytes) -> Transaction:
    """Raises DecodeError: not a transaction, or of a kind that this version does not know."""
    return _read_cached(data) if len(data) <= CACHED_TX_BYTES else _read(data)


@lru_cache(maxsize=1 << 14)  # read on arrival, in the proposal, in the block, in the index: decoded once
def _read_cached(data: bytes) -> Transaction:
    return _read(data)


def _read(data: bytes) -> Transaction:
    chain_id, number, sender, nonce, body, signatures = fields(
        decode(data, MAX_TX_BYTES, MAX_TX_ITEMS), 6, "transaction"
    )
    kind = _KINDS.get(number) if type(number) is int else None
    if kind is None:
        raise DecodeError(f"transaction: kind {number!r:.80} is not known here")
    alone, quorums = kind < Kind.SETTLE, kind in QUORUM_KINDS
    return Transaction(
        octets(chain_id, "chain_id", 32),
        kind,
        octets(sender, "sender", 33 if alone else 0),
        integer(nonce, "nonce", high=(1 << 63) - 1 if alone else 0),
        BODIES[kind].read(body),
        octets(signatures, "signature", 64) if alone else b"",
        () if alone else items(signatures, Seal.read, "signatures", 1024 if quorums else 0),
        data,
        TxId(sha256(data).digest()),
    )


def sign_transaction(chain_id: bytes, signer: Signer, nonce: int, body: Body) -> bytes:
    """The bytes of a transaction with one signer."""
    signed = (chain_id, int(KINDS[type(body)]), signer.public_key, nonce, body.value())
    return encode((*signed, signer.sign(TX_DOMAIN, encode(signed))))


def statement_bytes(chain_id: bytes, validators: Iterable[bytes], body: Statement) -> bytes:
    """What each validator of a quorum signs, under STATEMENT_DOMAIN."""
    return encode((chain_id, set_hash(tuple(validators)), int(KINDS[type(body)]), body.value()))


def quorum_transaction(chain_id: bytes, body: Statement, signatures: Mapping[int, bytes], count: int) -> bytes:
    """The bytes of a quorum's transaction, from the `count` lowest seats of `signatures` (by seat)."""
    seals = tuple((seat, signatures[seat]) for seat in sorted(signatures)[:count])
    return encode((chain_id, int(KINDS[type(body)]), b"", 0, body.value(), seals))


def evidence_transaction(chain_id: bytes, body: Evidence) -> bytes:
    """The bytes of a transaction that anyone may hand in."""
    return encode((chain_id, int(Kind.EVIDENCE), b"", 0, body.value(), ()))
