"""The chain's state after a block: who takes part, each task's model and latest round; and its root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from typing import Final, TypeAlias

from salus_chain import merkle
from salus_chain.codec import Value, decode, encode, fields, identifier, integer, items, octets, text
from salus_chain.errors import DecodeError
from salus_chain.genesis import Genesis
from salus_chain.rules.transactions import OpenRound, commit_set_root


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
    """A gateway's commit to an update, and the keys of the validators that gave receipts for its bytes."""

    gateway: str
    digest: bytes
    weight: int
    holders: tuple[bytes, ...]

    def value(self) -> Value:
        return (self.gateway.encode(), self.digest, self.weight, self.holders)

    @classmethod
    def read(cls, value: Value) -> CommitEntry:
        f = fields(value, 4, "commit")
        return cls(
            identifier(f[0], "gateway"),
            octets(f[1], "digest", 32),
            integer(f[2], "weight"),
            items(f[3], lambda key: octets(key, "holder", 33), "holders"),
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
        return commit_set_root((commit.gateway, commit.digest, commit.weight) for commit in self.commits)

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


@dataclass(frozen=True, slots=True)
class State:
    """Everything that a block may depend on. The genesis stays with it: it never changes."""

    genesis: Genesis
    height: int
    time_ms: int
    parent: bytes  # the digest of the block at `height`; the chain id at height 0
    nonces: Mapping[bytes, int] = field(default_factory=dict)  # sender → the next nonce
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    keys: Mapping[bytes, str] = field(default_factory=dict)  # every key a gateway ever had → that gateway
    consents: Mapping[bytes, ConsentEntry] = field(default_factory=dict)
    tasks: Mapping[str, Task] = field(default_factory=dict)
    rounds: Mapping[str, Round] = field(default_factory=dict)  # task → its latest round

    @property
    def validators(self) -> tuple[bytes, ...]:
        return self.genesis.keys

    @property
    def next_validators(self) -> tuple[bytes, ...]:
        return self.genesis.keys


def genesis_state(genesis: Genesis) -> State:
    """The state before the first block."""
    return State(genesis, 0, genesis.time_ms, genesis.chain_id)


Entry: TypeAlias = Gateway | ConsentEntry | Task | Round
NONCE, GATEWAY, KEY, CONSENT, TASK, ROUND = range(1, 7)  # tables, in the order of the root's leaves


def state_root(state: State) -> bytes:
    """Merkle root over the canonical (table, key, entry) triples, sorted."""
    leaves = [_plain_leaf(NONCE, key, nonce) for key, nonce in state.nonces.items()]
    leaves += [_plain_leaf(KEY, key, gateway.encode()) for key, gateway in state.keys.items()]
    leaves += [_leaf(GATEWAY, key.encode(), entry) for key, entry in state.gateways.items()]
    leaves += [_leaf(CONSENT, key, entry) for key, entry in state.consents.items()]
    leaves += [_leaf(TASK, key.encode(), entry) for key, entry in state.tasks.items()]
    leaves += [_leaf(ROUND, key.encode(), entry) for key, entry in state.rounds.items()]
    return merkle.root(sorted(leaves))


@lru_cache(maxsize=1 << 16)  # most entries outlive many blocks
def _leaf(table: int, key: bytes, entry: Entry) -> bytes:
    return encode((table, key, entry.value()))


@lru_cache(maxsize=1 << 16)
def _plain_leaf(table: int, key: bytes, value: int | bytes) -> bytes:
    return encode((table, key, value))


def encode_state(state: State) -> bytes:
    """A snapshot, without the genesis."""
    return encode(
        (
            state.height,
            state.time_ms,
            state.parent,
            tuple(state.nonces.items()),
            tuple(gateway.value() for gateway in state.gateways.values()),
            tuple((key, gateway.encode()) for key, gateway in state.keys.items()),
            tuple(consent.value() for consent in state.consents.values()),
            tuple(task.value() for task in state.tasks.values()),
            tuple(each.value() for each in state.rounds.values()),
        )
    )


def decode_state(genesis: Genesis, data: bytes) -> State:
    """Raises DecodeError when `data` is not a snapshot."""
    f = fields(decode(data), 9, "state")
    gateways = items(f[4], Gateway.read, "gateways")
    consents = items(f[6], ConsentEntry.read, "consents")
    tasks = items(f[7], Task.read, "tasks")
    rounds = items(f[8], Round.read, "rounds")
    return replace(
        genesis_state(genesis),
        height=integer(f[0], "height"),
        time_ms=integer(f[1], "time_ms"),
        parent=octets(f[2], "parent", 32),
        nonces=dict(items(f[3], _nonce, "nonces")),
        gateways={gateway.id: gateway for gateway in gateways},
        keys=dict(items(f[5], _key, "keys")),
        consents={consent.consent: consent for consent in consents},
        tasks={task.id: task for task in tasks},
        rounds={each.open.task: each for each in rounds},
    )


def _nonce(value: Value) -> tuple[bytes, int]:
    key, nonce = fields(value, 2, "nonce")
    return octets(key, "sender", 33), integer(nonce, "nonce")


def _key(value: Value) -> tuple[bytes, str]:
    key, gateway = fields(value, 2, "key")
    return octets(key, "key", 33), identifier(gateway, "gateway")
