"""What a validator tells about itself and the chain, as JSON; byte strings are `0x` and hexadecimal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from salus_chain.errors import DecodeError
from salus_chain.rules.transactions import OpenRound

T = TypeVar("T")
TxStatusName = Literal["unknown", "pending", "final", "dropped"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request got nothing: a short stable code, and a reason for people."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class SeatView:
    """Where a validator stands, as another knows it.

    `height` is of its last final block, `round` the consensus round after it; `there`: it was heard from within
    seconds, at `heard_ms`.
    """

    name: str
    public_key: bytes
    url: str
    height: int
    round: int
    heard_ms: int
    there: bool


@dataclass(frozen=True, slots=True)
class Status:
    """Where a validator stands. `time_ms` is of the last final block, `height`; `round` is of the one after it.

    `since_ms` says since when that one is being decided, `report` what holds it up, in words. `seats` are the
    validators that decide it, of whom `quorum` are needed; `seat` is this one's number, -1 for an observer.
    """

    name: str
    chain_id: bytes
    height: int
    time_ms: int
    round: int = 0
    now_ms: int = 0
    since_ms: int = 0
    seat: int = -1
    quorum: int = 0
    waiting: int = 0  # transactions
    report: str = ""
    seats: tuple[SeatView, ...] = ()


@dataclass(frozen=True, slots=True)
class TxStatus:
    """What became of a transaction; `unknown` where it has not been heard of.

    `height` is 0 unless it is final; code and reason say why it was dropped.
    """

    status: TxStatusName
    height: int = 0
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """The newest approved release of a task."""

    version: int
    blob_digest: bytes
    model_sha256: bytes
    settled_model_digest: bytes


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task's shared model as the chain holds it. `round` is the last one opened, 0 before the first."""

    task: str
    round: int
    model_digest: bytes
    layout_json: str
    program_digest: bytes
    sequence: int
    release: ReleaseView | None


@dataclass(frozen=True, slots=True)
class GatewayView:
    """A gateway as its hospital enrolled it."""

    gateway: str
    public_key: bytes
    patients: int
    revoked: bool


@dataclass(frozen=True, slots=True)
class RoundView:
    """One round, with its commits by gateway id.

    `missing` lists committed updates that the validator asked does not hold; `reason` says why a round
    expired.
    """

    task: str
    round: int
    status: Literal["open", "closed", "settled", "expired"]
    open: OpenRound
    layout_digest: bytes
    d: int
    opened_height: int
    closed_height: int | None
    settled_height: int | None
    model_before: bytes
    model_after: bytes | None
    aggregate_digest: bytes | None
    commits: Mapping[str, bytes]
    weights: Mapping[str, int]
    missing: tuple[bytes, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """A settlement whose proof was checked."""

    task: str
    round: int
    height: int
    model_before: bytes
    model_after: bytes
    aggregate_digest: bytes
    commits: Mapping[str, bytes]
    weights: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ApprovedRelease:
    """A release whose approval's proof was checked: a serialised SignedManifest and its .tflite."""

    version: int
    signed_manifest: bytes
    model: bytes
    height: int


@dataclass(frozen=True, slots=True)
class Approval:
    """One validator's answer to a candidate: the body it states (canonical CBOR), and its signature."""

    seat: int
    kind: int
    body: bytes
    signature: bytes


def to_json(view: object) -> bytes:
    """A dataclass, with its byte strings as `0x…`."""
    fields = msgspec.to_builtins(view, builtin_types=(bytes,))
    return json.dumps(fields, default=_hexadecimal, separators=(",", ":")).encode()


def from_json(data: bytes, kind: type[T]) -> T:
    """Raises DecodeError when `data` is not a `kind`."""
    try:
        return msgspec.convert(_bytes(json.loads(data)), kind, builtin_types=(bytes,))
    except (ValueError, msgspec.ValidationError, RecursionError) as error:
        raise DecodeError(f"{kind.__name__}: {error}") from None


def _hexadecimal(value: bytes) -> str:
    return "0x" + value.hex()


def _bytes(value: Any) -> Any:
    """The same JSON with every `0x…` string as bytes; no name or reason of ours begins like that."""
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    if isinstance(value, list):
        return [_bytes(item) for item in value]
    if isinstance(value, dict):
        return {key: _bytes(item) for key, item in value.items()}
    return value
