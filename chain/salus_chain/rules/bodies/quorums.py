"""What a quorum of validators states: settlements, approvals, and who takes part."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from salus_chain.codec import Value, fields, identifier, integer, octets, text
from salus_chain.errors import DecodeError
from salus_chain.genesis import Validator


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


@dataclass(frozen=True, slots=True)
class Authorize:
    """A key becomes a coordinator's. `sequence` counts authorisations and changes of members up from 1."""

    sequence: int
    coordinator: bytes

    def value(self) -> Value:
        return (self.sequence, self.coordinator)

    @classmethod
    def read(cls, value: Value) -> Authorize:
        sequence, coordinator = fields(value, 2, "authorize")
        return cls(integer(sequence, "sequence"), octets(coordinator, "coordinator", 33))


@dataclass(frozen=True, slots=True)
class Deauthorize:
    """A coordinator's key ends; rounds that it opened go on. `sequence` as in Authorize."""

    sequence: int
    coordinator: bytes

    def value(self) -> Value:
        return (self.sequence, self.coordinator)

    @classmethod
    def read(cls, value: Value) -> Deauthorize:
        sequence, coordinator = fields(value, 2, "deauthorize")
        return cls(integer(sequence, "sequence"), octets(coordinator, "coordinator", 33))


class Change(IntEnum):
    """What may become of a member."""

    ADMIT = 1  # a new key becomes an observer
    SEAT = 2  # an observer becomes a validator
    UNSEAT = 3  # a validator becomes an observer
    DISMISS = 4  # an observer goes
    UPDATE = 5  # a member's name or addresses change


@dataclass(frozen=True, slots=True)
class SetValidators:
    """A change of members. Whole rows are stated; but for ADMIT and UPDATE they are as the chain has them."""

    sequence: int
    change: Change
    member: Validator

    def value(self) -> Value:
        return (self.sequence, int(self.change), self.member.value())

    @classmethod
    def read(cls, value: Value) -> SetValidators:
        sequence, number, member = fields(value, 3, "set_validators")
        try:
            change = Change(integer(number, "change"))
        except ValueError as error:
            raise DecodeError(f"set_validators: {error}") from None
        return cls(integer(sequence, "sequence"), change, Validator.read(member))
