"""The store is durable, all or nothing, and refuses what it did not write."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from salus_edge.errors import ConfigError
from salus_edge.store import Database


def test_it_is_in_wal_mode_and_waits_for_the_disk(tmp_path: Path) -> None:
    with Database(tmp_path / "a.sqlite") as database:
        assert database.rows("PRAGMA journal_mode") == [("wal",)]
        assert database.rows("PRAGMA synchronous") == [(2,)]


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    with Database(tmp_path / "a.sqlite") as database:
        with pytest.raises(RuntimeError), database.transaction() as cursor:
            cursor.execute("INSERT INTO calibrations VALUES ('w', x'00')")
            with database.transaction() as inner:
                inner.execute("INSERT INTO calibrations VALUES ('v', x'00')")
            raise RuntimeError
        assert database.rows("SELECT * FROM calibrations") == []
        with database.transaction() as cursor:
            cursor.execute("INSERT INTO calibrations VALUES ('w', x'00')")
        assert database.row("SELECT COUNT(*) FROM calibrations") == (1,)


def test_a_store_of_another_version_or_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    Database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigError, match="version 99"):
        Database(path)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ConfigError, match="cannot be used"):
        Database(path)
