from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from salus_edge.errors import ConfigError
from salus_edge.store import Database


def kinds(database: Database) -> list[str]:
    return [row[0] for row in database.rows("SELECT kind FROM packets ORDER BY sequence")]


def put(cursor: sqlite3.Connection, sequence: int, kind: str) -> None:
    cursor.execute("INSERT INTO packets VALUES ('d', 1, ?, ?, 0, '')", (sequence, kind))


def test_what_is_written_is_there_after_opening_again(tmp_path: Path) -> None:
    with Database(tmp_path / "s.sqlite") as database, database.transaction() as cursor:
        put(cursor, 1, "feature")
    with Database(tmp_path / "s.sqlite") as database:
        assert kinds(database) == ["feature"]


def test_a_commit_is_synchronous_and_in_wal_mode(tmp_path: Path) -> None:
    with Database(tmp_path / "s.sqlite") as database:
        assert database.row("PRAGMA journal_mode") == ("wal",)
        assert database.row("PRAGMA synchronous") == (2,)  # FULL


def test_an_error_in_a_transaction_takes_all_of_it_back(tmp_path: Path) -> None:
    with Database(tmp_path / "s.sqlite") as database:
        with pytest.raises(RuntimeError), database.transaction() as cursor:
            put(cursor, 1, "feature")
            raise RuntimeError
        assert kinds(database) == []


def test_a_transaction_inside_another_is_a_part_of_it(tmp_path: Path) -> None:
    with Database(tmp_path / "s.sqlite") as database:
        with pytest.raises(RuntimeError), database.transaction() as outer:
            put(outer, 1, "feature")
            with database.transaction() as inner:
                put(inner, 2, "label")
            raise RuntimeError
        assert kinds(database) == []
        with database.transaction() as outer:
            put(outer, 1, "feature")
            with database.transaction() as inner:
                put(inner, 2, "label")
        assert kinds(database) == ["feature", "label"]


def test_a_file_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    Database(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="version 99"):
        Database(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    path.write_text("this is a letter, not a database, and it is long enough to tell" * 20)
    with pytest.raises(ConfigError, match="cannot be used"):
        Database(path)
