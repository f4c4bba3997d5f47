"""What the chain's state holds: gateways, consents, attestations, standings, tasks and their rounds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from salus_chain.codec import Value, fields, identifier, integer, items, octets, text
from salus_chain.errors import DecodeError
from salus_chain.rules.bodies.coordinators import OpenRound
from salus_chain.rules.bodies.gateways import NO_SCORE, CommitRow, commit_set_root
from salus_chain.rules.bodies.hospitals import MAX_SCORE


class RoundStatus(StrEnum):
    """open → closed → settled; either of the first two may expire instead."""

    OPEN = "open"
    CLOSED = "closed"
    SETTLED = "settled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway under its hospital's key. A revoked one stays, so that its id and key are not reused."""

    id: str
    validator: bytes
    public_key: bytes
    patients: int
    revoked: bool

    def value(self) -> Value:
        return (self.id.encode(), self.validator, self.public_key, self.patients, int(self.revoked))

    @classmethod
    def read(cls, value: Value) -> Gateway:
        f = fields(value, 5, "gateway")
        return cls(
            identifier(f[0], "id"),
            octets(f[1], "validator", 33),
            octets(f[2], "public_key", 33),
            integer(f[3], "patients"),
            bool(integer(f[4], "revoked", high=1)),
        )


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """A consent's digests, the hospital that wrote it, and whether it was withdrawn."""

    consent: bytes
    device: bytes
    validator: bytes
    withdrawn: bool

    def value(self) -> Value:
        return (self.consent, self.device, self.validator, int(self.withdrawn))

    @classmethod
    def read(cls, value: Value) -> ConsentEntry:
        f = fields(value, 4, "consent")
        return cls(
            octets(f[0], "consent", 32),
            octets(f[1], "device", 32),
            octets(f[2], "validator", 33),
            bool(integer(f[3], "withdrawn", high=1)),
        )


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a hospital last said of its gateway: 0 to 1000 per mille, and the digest of its grounds."""

    gateway: str
    score: int
    statement: bytes
    height: int

    def value(self) -> Value:
        return (self.gateway.encode(), self.score, self.statement, self.height)

    @classmethod
    def read(cls, value: Value) -> Attestation:
        f = fields(value, 4, "attestation")
        return cls(
            identifier(f[0], "gateway"),
            integer(f[1], "score", high=MAX_SCORE),
            octets(f[2], "statement", 32),
            integer(f[3], "height"),
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """A key that is or was a member: since when, and the height at which evidence convicted it, 0 if none did."""

    public_key: bytes
    admitted_height: int
    convicted_height: int = 0

    def value(self) -> Value:
        return (self.public_key, self.admitted_height, self.convicted_height)

    @classmethod
    def read(cls, value: Value) -> Standing:
        f = fields(value, 3, "standing")
        return cls(octets(f[0], "public_key", 33), integer(f[1], "admitted"), integer(f[2], "convicted"))


@dataclass(frozen=True, slots=True)
class Release:
    """The newest approved release of a task; version 0: there is none yet."""

    version: int
    blob_digest: bytes
    model_sha256: bytes
    settled_model_digest: bytes

    def value(self) -> Value:
        return (self.version, self.blob_digest, self.model_sha256, self.settled_model_digest)

    @classmethod
    def read(cls, value: Value) -> Release:
        f = fields(value, 4, "release")
        return cls(
            integer(f[0], "version"),
            octets(f[1], "blob_digest", 32),
            octets(f[2], "model_sha256", 32),
            octets(f[3], "settled_model_digest", 32),
        )


NO_RELEASE: Final = Release(0, bytes(32), bytes(32), bytes(32))


@dataclass(frozen=True, slots=True)
class Task:
    """A task's shared model.

    `round` is the last one opened, 0 before the first; `sequence` counts approvals.
    """

    id: str
    round: int
    sequence: int
    layout_json: str
    program_digest: bytes
    model_digest: bytes
    release: Release

    def value(self) -> Value:
        return (
            self.id.encode(),
            self.round,
            self.sequence,
            self.layout_json.encode(),
            self.program_digest,
            self.model_digest,
            self.release.value(),
        )

    @classmethod
    def read(cls, value: Value) -> Task:
        f = fields(value, 7, "task")
        return cls(
            identifier(f[0], "id"),
            integer(f[1], "round"),
            integer(f[2], "sequence"),
            text(f[3], "layout_json"),
            octets(f[4], "program_digest", 32),
            octets(f[5], "model_digest", 32),
            Release.read(f[6]),
        )


@dataclass(frozen=True, slots=True)
class CommitEntry:
    """A gateway's commit to an update, and the keys of the validators that gave receipts for its bytes.

    `score` is what the gateway's hospital had attested by then, per mille; NO_SCORE when nothing.
    """

    gateway: str
    digest: bytes
    weight: int
    score: int
    holders: tuple[bytes, ...]

    @property
    def row(self) -> CommitRow:
        return (self.gateway, self.digest, self.weight, self.score)

    def value(self) -> Value:
        return (self.gateway.encode(), self.digest, self.weight, self.score, self.holders)

    @classmethod
    def read(cls, value: Value) -> CommitEntry:
        f = fields(value, 5, "commit")
        return cls(
            identifier(f[0], "gateway"),
            octets(f[1], "digest", 32),
            integer(f[2], "weight"),
            integer(f[3], "score", low=NO_SCORE),
            items(f[4], lambda key: octets(key, "holder", 33), "holders"),
        )


@dataclass(frozen=True, slots=True)
class Round:
    """A task's latest round.

    Heights are 0 and digests empty until they happen; commits are sorted by gateway.
    """

    open: OpenRound
    status: RoundStatus
    layout_digest: bytes
    d: int
    model_before: bytes
    opened_height: int
    closed_height: int = 0
    settled_height: int = 0
    model_after: bytes = b""
    aggregate_digest: bytes = b""
    reason: str = ""  # why it expired
    commits: tuple[CommitEntry, ...] = ()

    @property
    def active(self) -> bool:
        return self.status in (RoundStatus.OPEN, RoundStatus.CLOSED)

    @property
    def commits_root(self) -> bytes:
        return commit_set_root(commit.row for commit in self.commits)

    def value(self) -> Value:
        return (
            self.open.value(),
            self.status.encode(),
            self.layout_digest,
            self.d,
            self.model_before,
            self.opened_height,
            self.closed_height,
            self.settled_height,
            self.model_after,
            self.aggregate_digest,
            self.reason.encode(),
            tuple(commit.value() for commit in self.commits),
        )

    @classmethod
    def read(cls, value: Value) -> Round:
        f = fields(value, 12, "round")
        try:
            status = RoundStatus(text(f[1], "status"))
        except ValueError as error:
            raise DecodeError(f"round: {error}") from None
        return cls(
            OpenRound.read(f[0]),
            status,
            octets(f[2], "layout_digest", 32),
            integer(f[3], "d"),
            octets(f[4], "model_before", 32),
            integer(f[5], "opened_height"),
            integer(f[6], "closed_height"),
            integer(f[7], "settled_height"),
            octets(f[8], "model_after"),
            octets(f[9], "aggregate_digest"),
            text(f[10], "reason"),
            items(f[11], CommitEntry.read, "commits"),
        )
