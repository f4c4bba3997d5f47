"""What a validator, which is a hospital, says of its own gateways and of its patients' consents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from salus_chain.codec import Value, fields, identifier, integer, items, octets

MAX_SCORE: Final = 1_000  # per mille
MAX_CONSENT_TASKS: Final = 16


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
    """A patient's consent for a device, both as 32-byte salted digests: no identity is on chain.

    `form` is the digest of the text that the patient signed, which the hospital keeps; `tasks` what it is for. Both are
    for whoever checks the hospital: no rule depends on them, and without them a consent is for whatever its form says.
    """

    consent: bytes
    device: bytes
    form: bytes = bytes(32)
    tasks: tuple[str, ...] = ()

    def value(self) -> Value:
        return (self.consent, self.device, self.form, tuple(task.encode() for task in self.tasks))

    @classmethod
    def read(cls, value: Value) -> Consent:
        consent, device, form, tasks = fields(value, 4, "consent")
        return cls(
            octets(consent, "consent", 32),
            octets(device, "device", 32),
            octets(form, "form", 32),
            items(tasks, lambda task: identifier(task, "task"), "tasks", MAX_CONSENT_TASKS),
        )


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
class Attest:
    """A hospital's trust in its gateway, 0 to 1000 per mille, and the digest of the grounds that it keeps."""

    gateway: str
    score: int
    statement: bytes

    def value(self) -> Value:
        return (self.gateway.encode(), self.score, self.statement)

    @classmethod
    def read(cls, value: Value) -> Attest:
        gateway, score, statement = fields(value, 3, "attest")
        return cls(
            identifier(gateway, "gateway"), integer(score, "score", high=MAX_SCORE), octets(statement, "statement", 32)
        )
