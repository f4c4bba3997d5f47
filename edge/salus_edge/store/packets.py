"""Packets and what their devices last said: the durable side of deduplication."""

from __future__ import annotations

import sqlite3

from salus_edge.store.database import Database


def admit(cursor: sqlite3.Connection, device: str, boot: int, sequence: int, kind: str, received_ms: int) -> bool:
    """Write down that this packet came; False when it came before. Inside the transaction of its content."""
    found = cursor.execute(
        "INSERT OR IGNORE INTO packets VALUES (?, ?, ?, ?, ?, '')",
        (device, boot, _signed(sequence), kind, received_ms),
    )
    return found.rowcount == 1


def refuse(cursor: sqlite3.Connection, device: str, boot: int, sequence: int, code: str) -> None:
    """Write down why the packet's content is refused, so that it is not asked again."""
    cursor.execute(
        "UPDATE packets SET code = ? WHERE device = ? AND boot = ? AND sequence = ?",
        (code, device, boot, _signed(sequence)),
    )


def code_of(cursor: sqlite3.Connection, device: str, boot: int, sequence: int) -> str:
    """Why an admitted packet was refused; empty when its content is stored."""
    found = cursor.execute(
        "SELECT code FROM packets WHERE device = ? AND boot = ? AND sequence = ?",
        (device, boot, _signed(sequence)),
    ).fetchone()
    return str(found[0])


def add_event(cursor: sqlite3.Connection, device: str, boot: int, sequence: int, content: bytes) -> None:
    """Keep a serialised Event."""
    cursor.execute("INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?)", (device, boot, _signed(sequence), content))


def set_state(cursor: sqlite3.Connection, device: str, boot: int, sequence: int, state: bytes, seen_ms: int) -> bool:
    """Keep a serialised State unless a later one is known; whether it is the latest (also when seen
    before).
    """
    known = cursor.execute("SELECT boot, sequence FROM devices WHERE device = ?", (device,)).fetchone()
    if known is not None and (boot, _signed(sequence)) < (known[0], known[1]):
        return False
    cursor.execute(
        "INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?, ?)",
        (device, boot, _signed(sequence), state, seen_ms),
    )
    return True


def last_state(database: Database, device: str) -> bytes | None:
    """The latest serialised State of a device."""
    found = database.row("SELECT state FROM devices WHERE device = ?", (device,))
    return None if found is None else bytes(found[0])


def count(database: Database, device: str) -> int:
    """How many packets of a device are stored."""
    found = database.row("SELECT COUNT(*) FROM packets WHERE device = ?", (device,))
    return 0 if found is None else int(found[0])


def _signed(sequence: int) -> int:
    """SQLite's integers are signed; the order of real sequences, all below 2^63, is kept."""
    return sequence if sequence < 1 << 63 else sequence - (1 << 64)
