"""The bounded, persistent ring of sealed packets: one leaves it on the gateway's sealed ack, or by overflow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from salus_edge.link.seal import Sealed
from salus_edge.proto import link_pb2
from salus_hil.virtual.flash import Flash

_INT64: Final = (1 << 63) - 1  # SQLite's largest integer


class Key(NamedTuple):
    """Which packet: the pair that no two of a device share."""

    boot: int
    sequence: int


class Ring:
    """Ciphertext, oldest first. `capacity` packets; one more drops the oldest and counts it for good."""

    def __init__(self, flash: Flash, capacity: int) -> None:
        self._flash, self._capacity = flash, capacity

    def append(self, sealed: Sealed, kind: str) -> None:
        """Keep a packet. Joins the caller's transaction."""
        with self._flash.transaction():
            row = (sealed.boot, sealed.sequence, kind, sealed.payload)
            self._flash.db.execute("INSERT INTO ring VALUES (?, ?, ?, ?)", row)
            if (over := len(self) - self._capacity) > 0:
                self._flash.db.execute(
                    "DELETE FROM ring WHERE rowid IN (SELECT rowid FROM ring ORDER BY boot, sequence LIMIT ?)",
                    (over,),
                )
                self._flash.add("dropped", over)

    def acknowledge(self, ack: link_pb2.Ack) -> None:
        """Delete what the gateway has, and what it never wants again; refusals are counted by code."""
        with self._flash.transaction():
            for each in ack.ranges:
                self._delete(each.boot, each.first_sequence, each.last_sequence)
            for refusal in ack.refusals:
                if self._delete(refusal.boot, refusal.sequence, refusal.sequence):
                    self._flash.add(f"refused by gateway {refusal.code}", 1)

    def waiting(self) -> Iterator[Key]:
        """Oldest first."""
        for boot, sequence in self._flash.db.execute("SELECT boot, sequence FROM ring ORDER BY boot, sequence"):
            yield Key(boot, sequence)

    def packet(self, key: Key) -> tuple[str, bytes] | None:
        """(kind, payload), or None when it left meanwhile."""
        row = self._flash.db.execute("SELECT kind, payload FROM ring WHERE boot = ? AND sequence = ?", key).fetchone()
        return (str(row[0]), bytes(row[1])) if row else None

    def after(self, key: Key) -> Key | None:
        """The oldest packet younger than `key`."""
        row = self._flash.db.execute(
            "SELECT boot, sequence FROM ring WHERE (boot, sequence) > (?, ?) ORDER BY boot, sequence LIMIT 1", key
        ).fetchone()
        return Key(*row) if row else None

    @property
    def dropped(self) -> int:
        """Packets lost to overflow since enrolment."""
        return self._flash.counter("dropped")

    def __len__(self) -> int:
        return int(self._flash.db.execute("SELECT count(*) FROM ring").fetchone()[0])

    def _delete(self, boot: int, first: int, last: int) -> int:
        bounds = (min(boot, _INT64), min(first, _INT64), min(last, _INT64))
        return self._flash.db.execute("DELETE FROM ring WHERE boot = ? AND sequence BETWEEN ? AND ?", bounds).rowcount
