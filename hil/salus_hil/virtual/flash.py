"""What a wearable keeps through a power cut: one SQLite file. Every change is one transaction, or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from salus_hil.errors import FlashError

FLASH: Final = "flash.sqlite"
_SCHEMA: Final = """
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE blobs (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE ring (
    boot INTEGER NOT NULL, sequence INTEGER NOT NULL, kind TEXT NOT NULL, payload BLOB NOT NULL,
    PRIMARY KEY (boot, sequence)
);
CREATE TABLE slots (name TEXT PRIMARY KEY, manifest BLOB NOT NULL, model BLOB NOT NULL);
CREATE TABLE chunks (start INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE versions (number INTEGER PRIMARY KEY);
PRAGMA user_version = 1;
"""


class Flash:
    """Counters and blobs by name; ring and slots use `db`. Not for several threads."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    @classmethod
    def open(cls, folder: Path, identity: bytes) -> Flash:
        """Open a wearable's flash, or make it on the first start.

        `identity` (device, chain, link secret) is kept as its digest. Raises FlashError: damaged, or another's.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FLASH
        digest = sha256(b"salus wearable\0" + identity).digest()
        try:
            db = sqlite3.connect(path, isolation_level=None)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            flash = cls(db)
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                identified = f"INSERT INTO blobs VALUES ('identity', x'{digest.hex()}');"  # noqa: S608 -- hex
                db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {identified} COMMIT;")
        except sqlite3.DatabaseError as error:
            raise FlashError(f"{path}: damaged ({error}); enrol the device again, in an empty folder") from None
        if version not in (0, 1) or flash.blob("identity") != digest:
            raise FlashError(f"{path}: of another device, chain or link secret; use an empty state folder")
        return flash

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside are durable together when it ends, or none is. An inner one joins the outer."""
        if self.db.in_transaction:
            yield
            return
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def counter(self, name: str) -> int:
        """0 when it was never set."""
        row = self.db.execute("SELECT value FROM counters WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def counters(self, prefix: str) -> dict[str, int]:
        """All counters whose name starts with `prefix`, by the rest of their name."""
        rows = self.db.execute("SELECT name, value FROM counters WHERE name GLOB ? || '*'", (prefix,))
        return {str(name)[len(prefix) :]: int(value) for name, value in rows}

    def set(self, name: str, value: int) -> None:
        self.db.execute("INSERT OR REPLACE INTO counters VALUES (?, ?)", (name, value))

    def add(self, name: str, amount: int) -> None:
        self.set(name, self.counter(name) + amount)

    def blob(self, name: str) -> bytes:
        """Empty when it was never put."""
        row = self.db.execute("SELECT value FROM blobs WHERE name = ?", (name,)).fetchone()
        return bytes(row[0]) if row else b""

    def put(self, name: str, value: bytes) -> None:
        self.db.execute("INSERT OR REPLACE INTO blobs VALUES (?, ?)", (name, value))

    def close(self) -> None:
        self.db.close()
