"""What a validator shows of the chain to those who watch it: blocks, members, lists, reports, events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


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
class Names:
    """What there is of a kind, by name."""

    names: tuple[str, ...]


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
