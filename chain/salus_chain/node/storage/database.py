"""The SQLite file under the store: made, opened only when it is whole, and every failure said in words.

WAL with synchronous FULL: one fsync for each transaction. The row `meta` says whether the last process stopped
cleanly; after anything else the whole file is checked, unless it is large. What a killed process committed can be
read but may not be durable yet: opening checkpoints it, before anybody is told of it.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

from salus_chain.durable import stopped, sync_folder
from salus_chain.errors import ConfigError, Damaged, DiskFull, Stopped

Values: TypeAlias = tuple[int | str | bytes, ...]
Row: TypeAlias = tuple[Any, ...]  # its types are the query's

APPLICATION_ID: Final = 0x53414C55  # "SALU"
SCHEMA_VERSION: Final = 5
SCHEMA: Final = """
CREATE TABLE meta (id INTEGER PRIMARY KEY CHECK (id = 1), chain_id BLOB NOT NULL, clean INTEGER NOT NULL);
CREATE TABLE blocks (height INTEGER PRIMARY KEY, block BLOB NOT NULL, certificate BLOB NOT NULL,
    crc INTEGER NOT NULL);
CREATE TABLE sets (height INTEGER PRIMARY KEY, keys BLOB NOT NULL);
CREATE TABLE transactions (id BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE marks (kind INTEGER, name TEXT, number INTEGER, height INTEGER NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (kind, name, number)) WITHOUT ROWID;
CREATE TABLE rounds (task TEXT, number INTEGER, round BLOB NOT NULL, ended_ms INTEGER,
    swept INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (task, number)) WITHOUT ROWID;
CREATE INDEX rounds_to_sweep ON rounds (swept, ended_ms);
CREATE TABLE entries (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE recent (height INTEGER PRIMARY KEY, entries BLOB NOT NULL);
CREATE TABLE uploads (task TEXT, number INTEGER, gateway TEXT, digest BLOB NOT NULL,
    PRIMARY KEY (task, number, gateway)) WITHOUT ROWID;
CREATE INDEX uploads_by_digest ON uploads (digest);
CREATE TABLE reports (task TEXT, number INTEGER, digest BLOB NOT NULL, PRIMARY KEY (task, number)) WITHOUT ROWID;
CREATE TABLE erased (digest BLOB PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
"""
CHECK_BYTES: Final = 256 << 20  # a larger file is checked by `salus chain repair` only: that takes a while
CHECKPOINT_PAGES: Final = 1_000  # of the -wal file, then copied into the database; 4 KiB each
FULL_BYTES: Final = 1 << 20  # a disk with less free is full
REPAIR: Final = "run `salus chain repair` with this validator's configuration"
SAID: Final = {
    sqlite3.SQLITE_FULL: "disk full; free space, and start the validator again",
    sqlite3.SQLITE_IOERR: "the disk fails ({}); check it, and start the validator again",
    sqlite3.SQLITE_READONLY: "cannot be written ({}); make file and folder writable, and start again",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened ({}); make file and folder writable, and start again",
    sqlite3.SQLITE_PERM: "cannot be opened ({}); make file and folder writable, and start again",
    sqlite3.SQLITE_BUSY: "another process uses it ({}); stop that one first",
}


class Database:
    """An open file. `failed` once a write failed: then nothing is written any more."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._failed: Stopped | None = None

    @classmethod
    def create(cls, path: Path, chain_id: bytes, validators: bytes) -> None:
        """Make an empty database for this chain, which begins under these validators.

        Raises ConfigError when there is one, Stopped.
        """
        if path.exists():
            raise ConfigError(f"{path}: exists already; a database is never replaced")
        part = path.with_name(f"{path.name}.part")
        for leftover in (part, part.with_name(f"{part.name}-wal"), part.with_name(f"{part.name}-shm")):
            leftover.unlink(missing_ok=True)
        with _in_words(path):
            connection = _connect(part)
            connection.executescript(f"BEGIN; {SCHEMA}")
            connection.execute("INSERT INTO meta VALUES (1, ?, 1)", (chain_id,))
            connection.execute("INSERT INTO sets VALUES (1, ?)", (validators,))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # `close` would not tell of a full disk
            connection.close()
        try:
            part.replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise stopped(path, error) from error

    @classmethod
    def open(cls, path: Path, chain_id: bytes) -> Database:
        """Raises ConfigError: no database, another chain's or a newer one; Damaged; Stopped when the disk fails."""
        if not path.exists():
            raise ConfigError(f"{path}: no database; `salus chain init` makes one; if it was lost, {REPAIR}")
        with _in_words(path):
            connection = _connect(path)
            try:
                clean = _identify(connection, path, chain_id)
                _check(connection, path, clean)
                connection.execute("UPDATE meta SET clean = 0")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except BaseException:
                connection.close()
                raise
        return cls(path, connection)

    def close(self) -> None:
        """Stop cleanly, unless a write has failed."""
        if self._failed is None:
            with suppress(sqlite3.Error):
                self._connection.execute("UPDATE meta SET clean = 1")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        self._connection.close()

    def check_pages(self) -> None:
        """Read everything, tables against their indexes. Raises Damaged."""
        row = self.one("PRAGMA integrity_check(1)")
        if row != ("ok",):
            raise Damaged(f"{self.path}: damaged ({row}); {REPAIR}")

    def all(self, query: str, values: Values = ()) -> Iterator[Row]:
        """The rows of a query, one at a time. Raises Stopped."""
        with _in_words(self.path):
            yield from self._connection.execute(query, values)

    def one(self, query: str, values: Values = ()) -> Row | None:
        """The first row. Raises Stopped."""
        with _in_words(self.path):
            row: Row | None = self._connection.execute(query, values).fetchone()
            return row

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One durable transaction, all or nothing.

        Raises DiskFull, and then nothing was written, or Stopped when the disk fails: nothing is written any more.
        """
        if self._failed is not None:
            raise self._failed
        try:
            with _in_words(self.path), self._transaction():
                yield self._connection
        except DiskFull:
            raise
        except Stopped as error:
            self._failed = error
            raise

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute("PRAGMA journal_size_limit = 16777216")
    return connection


def _identify(connection: sqlite3.Connection, path: Path, chain_id: bytes) -> bool:
    """Whose database it is; whether its last process stopped cleanly."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise Damaged(f"{path}: not a validator's database, or of a version before {SCHEMA_VERSION}; {REPAIR}")
    if version > SCHEMA_VERSION:
        raise ConfigError(f"{path}: made by a newer version (schema {version}, here {SCHEMA_VERSION}); upgrade Salus")
    if version < SCHEMA_VERSION:
        raise Damaged(f"{path}: made by an older version (schema {version}, here {SCHEMA_VERSION}); {REPAIR}")
    found, clean = connection.execute("SELECT chain_id, clean FROM meta").fetchone()
    if found != chain_id:
        raise ConfigError(f"{path}: belongs to chain {found.hex()[:16]}, the genesis makes {chain_id.hex()[:16]}")
    return bool(clean)


def _check(connection: sqlite3.Connection, path: Path, clean: bool) -> None:
    """Raises Damaged when pages are missing or damaged."""
    size = path.stat().st_size
    (pages,), (page_bytes,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    if clean and size < pages * page_bytes:
        raise Damaged(f"{path}: cut off at byte {size} of {pages * page_bytes}; {REPAIR}")
    if clean or size > CHECK_BYTES:
        return
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise Damaged(f"{path}: damaged ({verdict}); {REPAIR}")


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """SQLite's errors that are the disk's or the file's, as Stopped."""
    try:
        yield
    except sqlite3.Error as error:
        code, where = getattr(error, "sqlite_errorcode", 0) & 0xFF, f"{path}: "
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise Damaged(f"{where}damaged ({error}); {REPAIR}") from error
        if code == sqlite3.SQLITE_IOERR and shutil.disk_usage(path.parent).free < FULL_BYTES:
            code = sqlite3.SQLITE_FULL
        if code not in SAID:
            raise
        kind = DiskFull if code == sqlite3.SQLITE_FULL else Stopped
        raise kind(where + SAID[code].format(error)) from error
