"""The chain's state after a block: who takes part, each task's model and latest round; and its root.

The root is of a Merkle trie (`trie`) over all entries, brought up to date at a block's end from the keys that
the block wrote. Tables are persistent maps: a transaction copies none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, TypeAlias

from immutables import Map

from salus_chain.codec import encode_trusted
from salus_chain.evolve import evolve
from salus_chain.genesis import Genesis, Validator
from salus_chain.rules.entries import (
    NO_RELEASE,
    Attestation,
    CommitEntry,
    ConsentEntry,
    Gateway,
    Release,
    Round,
    RoundStatus,
    Standing,
    Task,
)
from salus_chain.rules.roster import Roster, genesis_roster
from salus_chain.trie import Node, root, update

__all__ = [
    "NO_RELEASE",
    "Attestation",
    "CommitEntry",
    "ConsentEntry",
    "Gateway",
    "Release",
    "Roster",
    "Round",
    "RoundStatus",
    "Row",
    "Standing",
    "State",
    "Table",
    "Task",
    "count_nonce",
    "entries",
    "entry_key",
    "entry_value",
    "genesis_state",
    "sealed",
    "state_root",
    "write",
]

Entry: TypeAlias = Gateway | ConsentEntry | Attestation | Standing | Task | Round | Roster | int | str
Key: TypeAlias = bytes | str


class Table(StrEnum):
    """The tables of the state, each named as its field."""

    NONCES = "nonces"
    GATEWAYS = "gateways"
    KEYS = "keys"
    CONSENTS = "consents"
    ATTESTATIONS = "attestations"
    STANDINGS = "standings"
    TASKS = "tasks"
    ROUNDS = "rounds"
    ROSTER = "roster"  # one entry, under the empty key


Touched: TypeAlias = "tuple[Table, Key, Touched] | None"  # a list that grows at its head
Row: TypeAlias = tuple[Table, Key, Entry]


@dataclass(frozen=True)
class State:
    """Everything that a block may depend on. The genesis stays with it: it never changes.

    Without slots: a copy with another table is then one copy of its dictionary, made twice for every transaction.
    """

    genesis: Genesis
    roster: Roster
    height: int
    time_ms: int
    parent: bytes  # the digest of the block at `height`; the chain id at height 0
    nonces: Map[bytes, int] = field(default_factory=Map)  # sender → the next nonce
    gateways: Map[str, Gateway] = field(default_factory=Map)
    keys: Map[bytes, str] = field(default_factory=Map)  # every key a gateway ever had → that gateway
    consents: Map[bytes, ConsentEntry] = field(default_factory=Map)
    attestations: Map[str, Attestation] = field(default_factory=Map)  # gateway → the latest
    standings: Map[bytes, Standing] = field(default_factory=Map)  # every key that ever was a member's
    tasks: Map[str, Task] = field(default_factory=Map)
    rounds: Map[str, Round] = field(default_factory=Map)  # task → its latest round
    enrolled: Map[bytes, int] = field(default_factory=Map)  # hospital → its gateways that are not revoked
    touched: Touched = field(default=None, compare=False, repr=False)  # written inside a block, newest first
    written: Mapping[bytes, bytes] = field(default_factory=dict, compare=False, repr=False)  # entries of the last block
    tree: Node = field(default=None, compare=False, repr=False)  # of all entries; `sealed` adds what a block wrote

    @property
    def validators(self) -> tuple[bytes, ...]:
        """The keys that decide block height+1, by seat."""
        return self.roster.validators

    @property
    def next_validators(self) -> tuple[bytes, ...]:
        """The keys that decide block height+2, by seat."""
        return self.roster.next_validators

    @property
    def seats(self) -> tuple[Validator, ...]:
        return self.roster.seats

    @property
    def next_seats(self) -> tuple[Validator, ...]:
        return self.roster.next_seats

    @property
    def observers(self) -> tuple[Validator, ...]:
        return self.roster.observers

    @property
    def members(self) -> Mapping[bytes, Validator]:
        """All that may connect as peers, by key."""
        return self.roster.by_key

    @property
    def coordinators(self) -> tuple[bytes, ...]:
        return self.roster.coordinators


_FIELDS: Final[dict[Table, str]] = {table: table.value for table in Table}
_ARRAY_OF_2: Final = b"\x82"
_KEY_HEADS: Final[dict[Table, bytes]] = {table: _ARRAY_OF_2 + encode_trusted(table.encode()) for table in Table}


def genesis_state(genesis: Genesis) -> State:
    """The state before the first block."""
    standings = Map({key: Standing(key, 0) for key in genesis.keys})
    state = State(genesis, genesis_roster(genesis), 0, genesis.time_ms, genesis.chain_id, standings=standings)
    written = dict(entries(state))
    return evolve(state, written=written, tree=update(None, _digests(written)))


def write(state: State, *rows: Row) -> State:
    """The state with these entries, and their keys remembered for the root."""
    changed: dict[str, Any] = {}
    touched = state.touched
    for table, key, entry in rows:
        name = _FIELDS[table]
        old = changed.get(name)
        changed[name] = entry if name == "roster" else (state.__dict__[name] if old is None else old).set(key, entry)
        touched = (table, key, touched)
    changed["touched"] = touched
    return evolve(state, **changed)


def count_nonce(before: State, after: State, sender: bytes, nonce: int) -> State:
    """`after` with the sender's next nonce; changed in place where a verb has just made it and nobody else holds it."""
    if after is before:
        return write(after, (Table.NONCES, sender, nonce))
    fields = after.__dict__
    fields["nonces"] = after.nonces.set(sender, nonce)
    fields["touched"] = (Table.NONCES, sender, after.touched)
    return after


def sealed(state: State) -> State:
    """The state at a block's end: its tree holds what the block wrote; `written` says it to who stores it."""
    written = {entry_key(*row): entry_value(_entry(state, *row)) for row in _touched_rows(state)}
    return evolve(state, touched=None, written=written, tree=update(state.tree, _digests(written)))


def state_root(state: State) -> bytes:
    """The root over all entries of a state that `sealed`, `genesis_state` or `state_of` gave."""
    return root(state.tree)


def _touched_rows(state: State) -> Iterator[tuple[Table, Key]]:
    seen: set[tuple[Table, Key]] = set()
    touched = state.touched
    while touched is not None:
        table, key, touched = touched
        if (table, key) not in seen:
            seen.add((table, key))
            yield table, key


def entries(state: State) -> Iterator[tuple[bytes, bytes]]:
    """Every entry of the state: its canonical key [table, key], whose SHA-256 is its place in the trie, and value."""
    for table in Table:
        rows = ((b"", state.roster),) if table is Table.ROSTER else getattr(state, table).items()
        for key, entry in rows:
            yield entry_key(table, key), entry_value(entry)


def entry_key(table: Table, key: Key) -> bytes:
    """An entry's name, in bytes."""
    return _KEY_HEADS[table] + encode_trusted(key if isinstance(key, bytes) else key.encode())


def entry_value(entry: Entry) -> bytes:
    """An entry's canonical bytes."""
    if isinstance(entry, int):
        return encode_trusted(entry)
    return encode_trusted(entry.encode() if isinstance(entry, str) else entry.value())


def _entry(state: State, table: Table, key: Key) -> Entry:
    entry: Entry = state.roster if table is Table.ROSTER else getattr(state, table)[key]
    return entry


def _digests(rows: Mapping[bytes, bytes]) -> dict[bytes, bytes | None]:
    return {sha256(key).digest(): sha256(value).digest() for key, value in rows.items()}
