"""What a validator tells about itself and the chain, as JSON; byte strings are `0x` and hexadecimal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
class Submitted:
    """One transaction of a batch: its id when it waits now, else the code and reason of its refusal."""

    id: bytes | None
    code: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """The answer to a batch, in its order."""

    results: tuple[Submitted, ...]


@dataclass(frozen=True, slots=True)
class TxView:
    """A final transaction, its body by field. `sender` is empty for what a quorum signed, or anyone may send."""

    id: bytes
    kind: str
    sender: bytes
    nonce: int
    size: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class BlockView:
    """A final block. `signers` names those whose signatures, of consensus round `round`, make it final."""

    height: int
    time_ms: int
    digest: bytes
    parent: bytes
    transactions_root: bytes
    state_root: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    round: int
    seals: tuple[int, ...]  # seats
    transactions: tuple[TxView, ...]


@dataclass(frozen=True, slots=True)
class BlockLine:
    """A block in a list."""

    height: int
    time_ms: int
    digest: bytes
    round: int
    transactions: int


@dataclass(frozen=True, slots=True)
class BlockList:
    """Consecutive blocks, upwards; `height` is of the newest block that there is."""

    height: int
    blocks: tuple[BlockLine, ...]


@dataclass(frozen=True, slots=True)
class ConsentView:
    """A consent as it is on chain, by its salted digests, and the key of the hospital that wrote it."""

    consent: bytes
    device: bytes
    validator: bytes
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class MemberView:
    """Who may connect as a peer, and whether it was proven to have signed two messages against each other."""

    name: str
    public_key: bytes
    peer: str
    url: str
    convicted_height: int = 0


@dataclass(frozen=True, slots=True)
class ValidatorsView:
    """Who decides the block after `height`, and who the one after that, where a change is pending."""

    height: int
    sequence: int  # of changes so far; a proposal names the next
    quorum: int
    faults: int
    seats: tuple[MemberView, ...]
    next_seats: tuple[MemberView, ...]
    observers: tuple[MemberView, ...]
    pending: bool
    convicted: tuple[MemberView, ...]


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """The newest approved release of a task."""

    version: int
    blob_digest: bytes
    model_sha256: bytes
    settled_model_digest: bytes


@dataclass(frozen=True, slots=True)
class Names:
    """What there is of a kind, by name."""

    names: tuple[str, ...]


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
class RoundLine:
    """A round in a list."""

    task: str
    round: int
    status: Literal["open", "closed", "settled", "expired"]
    commits: int
    opened_height: int
    reason: str


@dataclass(frozen=True, slots=True)
class RoundList:
    """A task's rounds, the newest first."""

    rounds: tuple[RoundLine, ...]


@dataclass(frozen=True, slots=True)
class ReportRow:
    """What became of one gateway's update, and what the aggregate would be without it; see `aggregation.report`.

    `norm` and `influence` are L2 norms at 2^-24, `score` and `alignment` per mille.
    """

    gateway: str
    weight: int
    score: int
    norm: int
    outcome: str
    detail: int
    influence: int | None
    alignment: int | None


@dataclass(frozen=True, slots=True)
class ReportView:
    """The aggregation of a round, by gateway."""

    task: str
    round: int
    rule: str
    total_weight: int
    rows: tuple[ReportRow, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """That the process lives."""

    status: Literal["alive"] = "alive"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that a final block did. `id` is `height-position`; a reader resumes after it."""

    id: str
    type: Literal["block", "round", "release", "validators", "evidence"]
    height: int
    data: dict[str, Any]


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
    fields = asdict(view)  # type: ignore[call-overload]
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
