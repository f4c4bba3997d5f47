"""One SQLite file in WAL mode, synchronous FULL: what a transaction wrote is on the disk when it returns."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from salus_edge.errors import ConfigError
from salus_edge.store.schema import TABLES, UPGRADES, VERSION

Row = tuple[Any, ...]
BUSY_S: Final = 10.0


class Database:
    """A gateway's store. One connection, used from the loop and from its worker threads, one at a time."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Raises ConfigError: no such folder, not our database, or of another
        version.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            self._prepare()
        except (sqlite3.Error, OSError) as error:
            raise ConfigError(f"{path}: cannot be used as the gateway's store: {error}") from None
        self._lock = threading.RLock()
        self._depth = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; durable when it ends. Inside another transaction it is a part of that one."""
        with self._lock:
            if self._depth == 0:
                self._connection.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield self._connection
            except BaseException:
                self._depth -= 1
                if self._depth == 0 and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            if self._depth == 0:
                self._commit()

    def rows(self, sql: str, parameters: tuple[object, ...] = ()) -> list[Row]:
        """What a question finds."""
        with self._lock:
            return self._connection.execute(sql, parameters).fetchall()

    def row(self, sql: str, parameters: tuple[object, ...] = ()) -> Row | None:
        """The first row, or None."""
        with self._lock:
            found: Row | None = self._connection.execute(sql, parameters).fetchone()
            return found

    def _commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "secure_delete = ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        found = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        if found == 0:
            self._connection.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
            return
        while found in UPGRADES:
            found += 1
            self._connection.executescript(f"BEGIN; {UPGRADES[found - 1]} PRAGMA user_version = {found}; COMMIT;")
        if found != VERSION:
            raise ConfigError(
                f"{self.path}: a store of version {found}, this gateway's is {VERSION}; "
                "use the gateway version that wrote it"
            )
