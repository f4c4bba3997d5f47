"""Transactions: what each signer may ask of the chain, and how it is written and signed.

A transaction is the canonical array [chain id, kind, sender, nonce, body, signatures]; its id is the SHA-256
of those bytes. One with a single signer names that key as sender, counts its nonce up by one from 0, and has
one signature over the first five fields. One of a quorum has an empty sender and nonce 0; each validator
signs the *statement* (chain id, validator set, kind, body), and the signatures stand sorted by seat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NewType, TypeAlias

from salus_chain import merkle
from salus_chain.codec import Value, decode, encode, fields, identifier, integer, items, octets, text
from salus_chain.errors import DecodeError
from salus_chain.genesis import set_hash

if TYPE_CHECKING:  # the auditor reads transactions without the library that signs them
    from salus_chain.keys import Signer

TxId = NewType("TxId", bytes)

TX_DOMAIN: Final = b"salus/transaction/1"
STATEMENT_DOMAIN: Final = b"salus/statement/1"
RECEIPT_DOMAIN: Final = b"salus/receipt/1"
MAX_TX_BYTES: Final = 1 << 18
ROUND_KINDS: Final = ("feature", "calibration")


class Kind(IntEnum):
    """The kinds of transactions; those without a body below come with the chain's next step."""

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


QUORUM_KINDS: Final = frozenset({Kind.SETTLE, Kind.APPROVE_MODEL, Kind.APPROVE_RELEASE})


@dataclass(frozen=True, slots=True)
class Enrol:
    """A hospital enrols its gateway, or changes its number of patients."""

    gateway: str
    public_key: bytes
    patients: int

    def value(self) -> Value:
        return (self.gateway.encode(), self.public_key, self.patients)

    @classmethod
    def read(cls, value: Value) -> Enrol:
        gateway, key, patients = fields(value, 3, "enrol")
        return cls(identifier(gateway, "gateway"), octets(key, "public_key", 33), integer(patients, "patients"))


@dataclass(frozen=True, slots=True)
class Revoke:
    """A hospital ends its gateway's part."""

    gateway: str

    def value(self) -> Value:
        return (self.gateway.encode(),)

    @classmethod
    def read(cls, value: Value) -> Revoke:
        (gateway,) = fields(value, 1, "revoke")
        return cls(identifier(gateway, "gateway"))


@dataclass(frozen=True, slots=True)
class Consent:
    """A patient's consent for a device, both as 32-byte salted digests: no identity is on chain."""

    consent: bytes
    device: bytes

    def value(self) -> Value:
        return (self.consent, self.device)

    @classmethod
    def read(cls, value: Value) -> Consent:
        consent, device = fields(value, 2, "consent")
        return cls(octets(consent, "consent", 32), octets(device, "device", 32))


@dataclass(frozen=True, slots=True)
class Withdraw:
    """A consent's end."""

    consent: bytes

    def value(self) -> Value:
        return (self.consent,)

    @classmethod
    def read(cls, value: Value) -> Withdraw:
        (consent,) = fields(value, 1, "withdraw")
        return cls(octets(consent, "consent", 32))


@dataclass(frozen=True, slots=True)
class OpenRound:
    """A coordinator opens a round of a task.

    `variables` are names of the task's layout in flat order; `parameters` are sorted by name; `norm_bound` is
    the L2 bound C as an integer at 2^-24; deadlines are Unix milliseconds.
    """

    task: str
    round: int
    kind: str
    base_sha256: bytes
    program_digest: bytes
    variables: tuple[str, ...]
    algorithm: str
    parameters: tuple[tuple[str, int], ...]
    rule: str
    norm_bound: int
    min_updates: int
    w_max: int
    deadline_ms: int
    settle_deadline_ms: int

    def value(self) -> Value:
        return (
            self.task.encode(),
            self.round,
            self.kind.encode(),
            self.base_sha256,
            self.program_digest,
            tuple(name.encode() for name in self.variables),
            self.algorithm.encode(),
            tuple((name.encode(), number) for name, number in self.parameters),
            self.rule.encode(),
            self.norm_bound,
            self.min_updates,
            self.w_max,
            self.deadline_ms,
            self.settle_deadline_ms,
        )

    @classmethod
    def read(cls, value: Value) -> OpenRound:
        f = fields(value, 14, "open_round")
        return cls(
            task=identifier(f[0], "task"),
            round=integer(f[1], "round"),
            kind=identifier(f[2], "kind"),
            base_sha256=octets(f[3], "base_sha256", 32),
            program_digest=octets(f[4], "program_digest", 32),
            variables=items(f[5], lambda name: text(name, "variables", 256), "variables", 4096),
            algorithm=identifier(f[6], "algorithm"),
            parameters=items(f[7], _parameter, "parameters", 256),
            rule=identifier(f[8], "rule"),
            norm_bound=integer(f[9], "norm_bound"),
            min_updates=integer(f[10], "min_updates"),
            w_max=integer(f[11], "w_max"),
            deadline_ms=integer(f[12], "deadline_ms"),
            settle_deadline_ms=integer(f[13], "settle_deadline_ms"),
        )


def _parameter(value: Value) -> tuple[str, int]:
    name, number = fields(value, 2, "parameter")
    return text(name, "parameter", 64), integer(number, "parameter", low=-(1 << 63))


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


@dataclass(frozen=True, slots=True)
class Settle:
    """What a quorum recomputed from a closed round's updates.

    `commits_root` is `commit_set_root` of its commits.
    """

    task: str
    round: int
    commits_root: bytes
    model_before: bytes
    aggregate_digest: bytes
    model_after: bytes

    def value(self) -> Value:
        return (
            self.task.encode(),
            self.round,
            self.commits_root,
            self.model_before,
            self.aggregate_digest,
            self.model_after,
        )

    @classmethod
    def read(cls, value: Value) -> Settle:
        f = fields(value, 6, "settle")
        return cls(
            identifier(f[0], "task"),
            integer(f[1], "round"),
            octets(f[2], "commits_root", 32),
            octets(f[3], "model_before", 32),
            octets(f[4], "aggregate_digest", 32),
            octets(f[5], "model_after", 32),
        )


@dataclass(frozen=True, slots=True)
class ApproveModel:
    """A quorum gives a task its first model, or a new one; `sequence` counts a task's approvals up from 1."""

    task: str
    sequence: int
    layout_json: str
    program_digest: bytes
    model_digest: bytes

    def value(self) -> Value:
        return (
            self.task.encode(),
            self.sequence,
            self.layout_json.encode(),
            self.program_digest,
            self.model_digest,
        )

    @classmethod
    def read(cls, value: Value) -> ApproveModel:
        f = fields(value, 5, "approve_model")
        return cls(
            identifier(f[0], "task"),
            integer(f[1], "sequence"),
            text(f[2], "layout_json"),
            octets(f[3], "program_digest", 32),
            octets(f[4], "model_digest", 32),
        )


@dataclass(frozen=True, slots=True)
class ApproveRelease:
    """A quorum checked an int8 model against the settled one. `blob_digest` is of [SignedManifest, model]."""

    task: str
    version: int
    blob_digest: bytes
    model_sha256: bytes
    settled_model_digest: bytes

    def value(self) -> Value:
        return (
            self.task.encode(),
            self.version,
            self.blob_digest,
            self.model_sha256,
            self.settled_model_digest,
        )

    @classmethod
    def read(cls, value: Value) -> ApproveRelease:
        f = fields(value, 5, "approve_release")
        return cls(
            identifier(f[0], "task"),
            integer(f[1], "version", high=(1 << 32) - 1),
            octets(f[2], "blob_digest", 32),
            octets(f[3], "model_sha256", 32),
            octets(f[4], "settled_model_digest", 32),
        )


Body: TypeAlias = Enrol | Revoke | Consent | Withdraw | OpenRound | Commit | Settle | ApproveModel | ApproveRelease
Statement: TypeAlias = Settle | ApproveModel | ApproveRelease

BODIES: Final[dict[Kind, type[Body]]] = {
    Kind.ENROL: Enrol,
    Kind.REVOKE: Revoke,
    Kind.CONSENT: Consent,
    Kind.WITHDRAW: Withdraw,
    Kind.COMMIT: Commit,
    Kind.OPEN_ROUND: OpenRound,
    Kind.SETTLE: Settle,
    Kind.APPROVE_MODEL: ApproveModel,
    Kind.APPROVE_RELEASE: ApproveRelease,
}
KINDS: Final[dict[type[Body], Kind]] = {body: kind for kind, body in BODIES.items()}


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
    """A decoded transaction with its own bytes.

    `signature` is empty for a quorum's, `seals` for the others.
    """

    chain_id: bytes
    kind: Kind
    sender: bytes
    nonce: int
    body: Body
    signature: bytes
    seals: tuple[Seal, ...]
    data: bytes

    @property
    def id(self) -> TxId:
        return TxId(sha256(self.data).digest())

    @property
    def signed_bytes(self) -> bytes:
        """What the single sender signs."""
        return encode((self.chain_id, int(self.kind), self.sender, self.nonce, self.body.value()))


def read_transaction(data: bytes) -> Transaction:
    """Raises DecodeError: not a transaction, or of a kind that this version does not know."""
    chain_id, number, sender, nonce, body, signatures = fields(decode(data, MAX_TX_BYTES), 6, "transaction")
    try:
        kind = Kind(integer(number, "kind"))
        read = BODIES[kind].read
    except (ValueError, KeyError):
        raise DecodeError(f"transaction: kind {number!r} is not known here") from None
    alone = kind not in QUORUM_KINDS
    return Transaction(
        octets(chain_id, "chain_id", 32),
        kind,
        octets(sender, "sender", 33 if alone else 0),
        integer(nonce, "nonce", high=(1 << 63) - 1 if alone else 0),
        read(body),
        octets(signatures, "signature", 64) if alone else b"",
        () if alone else items(signatures, Seal.read, "signatures", 1024),
        data,
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


def commit_set_root(rows: Iterable[tuple[str, bytes, int]]) -> bytes:
    """What a settlement names its commits by: a Merkle root over (gateway, digest, weight), by gateway."""
    leaves = sorted((gateway.encode(), digest, weight) for gateway, digest, weight in rows)
    return merkle.root([encode(leaf) for leaf in leaves])


def receipt_bytes(chain_id: bytes, digest: bytes) -> bytes:
    """What a validator signs, under RECEIPT_DOMAIN, to say that it stores the bytes of this digest."""
    return encode((chain_id, digest))


def sign_receipt(chain_id: bytes, signer: Signer, digest: bytes) -> Receipt:
    return Receipt(signer.public_key, signer.sign(RECEIPT_DOMAIN, receipt_bytes(chain_id, digest)))
