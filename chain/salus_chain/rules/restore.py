"""A state from its entries: what a validator starts from, without executing every block again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from immutables import Map

from salus_chain.codec import decode, fields, identifier, integer, octets
from salus_chain.errors import DecodeError
from salus_chain.genesis import Genesis
from salus_chain.rules.roster import Roster
from salus_chain.rules.state import (
    Attestation,
    ConsentEntry,
    Gateway,
    Round,
    Row,
    Standing,
    State,
    Table,
    Task,
)
from salus_chain.trie import update


def state_of(genesis: Genesis, height: int, time_ms: int, parent: bytes, rows: Iterable[tuple[bytes, bytes]]) -> State:
    """The state of which `rows` are all entries. Raises DecodeError."""
    tables: dict[Table, dict[Any, Any]] = {table: {} for table in Table}
    digests: dict[bytes, bytes | None] = {}
    for name, value in rows:
        table, key, entry = _read_entry(name, value)
        tables[table][key] = entry
        digests[sha256(name).digest()] = sha256(value).digest()
    rosters = tables.pop(Table.ROSTER)
    if set(rosters) != {b""}:
        raise DecodeError("state: it has one roster, under the empty key")
    state = replace(
        State(genesis, rosters[b""], height, time_ms, parent),
        **{table.value: Map(entries) for table, entries in tables.items()},  # type: ignore[arg-type]
    )
    active = Counter(each.validator for each in state.gateways.values() if not each.revoked)
    return replace(state, enrolled=Map(active), tree=update(None, digests))


def _read_entry(name: bytes, data: bytes) -> Row:
    raw_table, raw_key = fields(decode(name), 2, "entry key")
    key, value = octets(raw_key, "key"), decode(data)
    try:
        table = Table(octets(raw_table, "table").decode())
    except ValueError as error:
        raise DecodeError(f"state: {error}") from None
    match table:
        case Table.NONCES:
            return table, key, integer(value, "nonce")
        case Table.KEYS:
            return table, key, identifier(value, "gateway")
        case Table.CONSENTS | Table.STANDINGS | Table.ROSTER:
            return table, key, READERS[table].read(value)
        case _:
            return table, identifier(key, "key"), READERS[table].read(value)


READERS: Final[dict[Table, Any]] = {
    Table.GATEWAYS: Gateway,
    Table.CONSENTS: ConsentEntry,
    Table.ATTESTATIONS: Attestation,
    Table.STANDINGS: Standing,
    Table.TASKS: Task,
    Table.ROUNDS: Round,
    Table.ROSTER: Roster,
}
