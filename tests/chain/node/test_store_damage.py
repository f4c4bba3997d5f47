"""A database that is damaged, cut off, of another chain, or on a full disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from salus_chain.errors import ConfigError, Damaged, DiskFull, Stopped
from salus_chain.node.storage.database import SCHEMA_VERSION
from salus_chain.node.storage.recent import encode_entries
from salus_chain.node.storage.store import Appended, Store
from salus_chain.rules.state import Table, entry_key, entry_value
from salus_chain.rules.transactions import Consent
from tests.chain.federation import federation
from tests.chain.node.stored import F, H, extend, opened


def corrupt(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)


def filled(tmp_path: Path, blocks: int = 40) -> Path:
    """A database that was closed cleanly."""
    store = opened(tmp_path)
    state = store.load()
    for _ in range(blocks):
        state = extend(store, state)
    store.close()
    return tmp_path / "chain.sqlite"


def test_a_wrong_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "chain.sqlite"
    with pytest.raises(ConfigError, match="no database"):
        Store.open(path, F.genesis)
    opened(tmp_path).close()
    with pytest.raises(ConfigError, match="exists already"):
        Store.create(path, F.genesis)
    with pytest.raises(ConfigError, match="belongs to chain"):
        Store.open(path, federation(5).genesis)
    (tmp_path / "junk").write_bytes(b"junk" * 500)
    with pytest.raises(Damaged, match=r"junk: damaged .*not a database.*salus chain repair"):
        Store.open(tmp_path / "junk", F.genesis)
    sqlite3.connect(tmp_path / "other").executescript("CREATE TABLE meta (a)")
    with pytest.raises(Damaged, match="not a validator's database"):
        Store.open(tmp_path / "other", F.genesis)


def test_a_newer_schema_asks_for_an_upgrade_and_an_older_one_for_a_repair(tmp_path: Path) -> None:
    path = filled(tmp_path, 1)
    for version, error, todo in [
        (SCHEMA_VERSION + 1, ConfigError, "upgrade Salus"),
        (1, Damaged, "salus chain repair"),
    ]:
        with sqlite3.connect(path) as other:
            other.execute(f"PRAGMA user_version = {version}")
        with pytest.raises(error, match=f"schema {version}, here {SCHEMA_VERSION}.*{todo}"):
            Store.open(path, F.genesis)


def test_a_file_cut_off_is_noticed_also_after_a_clean_stop(tmp_path: Path) -> None:
    path = filled(tmp_path)
    size = path.stat().st_size
    for end in (size - 1, size - 4_096, 8_192):
        with path.open("r+b") as file:
            file.truncate(end)
        with pytest.raises(Damaged, match=r"chain\.sqlite: .*salus chain repair"):
            Store.open(path, F.genesis)


def test_damaged_pages_are_noticed_after_a_kill(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with sqlite3.connect(path) as other:
        other.execute("UPDATE meta SET clean = 0")
    other.close()
    whole = path.read_bytes()
    for page in range(1, len(whole) // 4_096):
        corrupt(path, page * 4_096, bytes(4_096))
        with pytest.raises(Damaged, match="damaged"):
            Store.open(path, F.genesis)
        path.write_bytes(whole)
    Store.open(path, F.genesis).close()


def test_a_changed_byte_of_a_block_or_certificate_or_entry_is_noticed(tmp_path: Path) -> None:
    path = filled(tmp_path, 3)
    for column, height in [("block", 3), ("certificate", 2)]:
        with sqlite3.connect(path) as other:
            (old,) = other.execute(f"SELECT {column} FROM blocks WHERE height = {height}").fetchone()
            new = old[:-1] + bytes([old[-1] ^ 1])
            other.execute(f"UPDATE blocks SET {column} = ? WHERE height = {height}", (new,))
        with pytest.raises(Damaged, match=f"block {height} is damaged .*check sum"):
            Store.open(path, F.genesis)
        with sqlite3.connect(path) as other:
            other.execute(f"UPDATE blocks SET {column} = ? WHERE height = {height}", (old,))


STRANGE = {entry_key(Table.NONCES, bytes(33)): entry_value(7)}  # an entry that no block wrote


@pytest.mark.parametrize(
    ("damage", "value", "says"),
    [
        ("UPDATE recent SET entries = ? WHERE height = 3", encode_entries(STRANGE), "the stored state is damaged"),
        ("UPDATE recent SET entries = ? WHERE height = 1", encode_entries(STRANGE), "the stored state is damaged"),
        ("UPDATE recent SET entries = ? WHERE height = 3", b"\x81\x41a", "the stored state is damaged"),
        ("INSERT INTO entries VALUES (?, x'07')", next(iter(STRANGE)), "the stored state is damaged"),
        ("INSERT INTO recent VALUES (9, ?)", encode_entries({}), r"block 9 is damaged \(it is missing\)"),
    ],
)
def test_damage_of_what_a_block_wrote_is_noticed(tmp_path: Path, damage: str, value: bytes, says: str) -> None:
    path = filled(tmp_path, 3)
    with sqlite3.connect(path) as database:
        database.execute(damage, (value,))
    with pytest.raises(Damaged, match=f"{says}.*salus chain repair"):
        Store.open(path, F.genesis).load()


def test_a_gap_in_the_chain_is_noticed(tmp_path: Path) -> None:
    path = filled(tmp_path, 5)
    with sqlite3.connect(path) as other:
        other.execute("DELETE FROM blocks WHERE height = 4")
    with pytest.raises(Damaged, match="block 3 is damaged"):
        Store.open(path, F.genesis)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, "the disk fails"),
        (sqlite3.SQLITE_READONLY, "make file and folder writable"),
        (sqlite3.SQLITE_BUSY, "another process uses it"),
    ],
)
def test_a_failed_write_is_said_in_words_and_is_the_last(tmp_path: Path, code: int, says: str) -> None:
    store = opened(tmp_path)
    after = extend(store, store.load())
    block, last = F.block(after)
    error = sqlite3.OperationalError("as sqlite says")
    error.sqlite_errorcode = code

    def rows() -> Iterator[Appended]:
        yield block, F.certify(block), after, last
        raise error

    for failing in (rows(), [(block, F.certify(block), after, last)]):
        with pytest.raises(Stopped, match=f"chain.sqlite: .*{says}"):
            store.append_all(failing)
    assert store.height == 1
    store.close()
    assert Store.open(tmp_path / "chain.sqlite", F.genesis).load() == after


def test_a_really_full_disk_stops_the_store_and_loses_nothing(tmp_path: Path) -> None:
    """A full disk is no damage: once there is room, the same store writes on."""
    store = opened(tmp_path)
    state = extend(store, store.load())
    connection = store._database._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(DiskFull, match="free space"):
        for number in range(100):
            tx = F.sign(F.validators[0], state, Consent(bytes([number]) * 32, H))
            state = extend(store, state, tx)
    final = store.height
    connection.execute("PRAGMA max_page_count = 100000")
    assert extend(store, state).height == final + 1
    store.close()
    store = Store.open(tmp_path / "chain.sqlite", F.genesis)
    assert store.load().height == final + 1 > 4
