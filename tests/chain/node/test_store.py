from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from salus_chain.errors import ConfigError, Damaged, DiskFull, Stopped
from salus_chain.node.storage.database import SCHEMA_VERSION
from salus_chain.node.storage.recent import Recent, encode_entries
from salus_chain.node.storage.store import Appended, Store
from salus_chain.rules.state import RoundStatus, State, Table, entries, entry_key, entry_value, state_root
from salus_chain.rules.transactions import (
    ApproveModel,
    ApproveRelease,
    Consent,
    Kind,
    Withdraw,
    read_transaction,
)
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, TASK, federation

F = federation()
H = bytes([1]) * 32


def opened(tmp_path: Path) -> Store:
    Store.create(tmp_path / "chain.sqlite", F.genesis)
    return Store.open(tmp_path / "chain.sqlite", F.genesis)


def extend(store: Store, state: State, *transactions: bytes) -> State:
    block, after = F.block(state, *transactions)
    store.append(block, F.certify(block), state, after)
    return after


def test_the_state_is_the_same_after_a_restart(tmp_path: Path) -> None:
    store = opened(tmp_path)
    state = store.load()
    for number in range(11):
        state = extend(store, state, F.sign(F.validators[0], state, Consent(bytes([number]) * 32, H)))
    store.close()
    store = Store.open(tmp_path / "chain.sqlite", F.genesis)
    assert store.load() == state
    assert state_root(store.load()) == state_root(state)
    assert store.height == 11
    assert extend(store, state).height == 12


def test_each_block_stores_the_entries_that_it_wrote_and_no_more(tmp_path: Path) -> None:
    store = opened(tmp_path)
    state = extend(store, store.load())
    changes = store._database._connection.total_changes
    tx = F.sign(F.validators[0], state, Consent(H, H))
    after = extend(store, state, tx)
    assert set(after.written) == {entry_key(Table.CONSENTS, H), entry_key(Table.NONCES, F.validators[0].public_key)}
    assert store._database._connection.total_changes - changes == 2  # the block, and its two entries in one piece
    assert dict(store._entries()) == dict(entries(after))


@pytest.mark.parametrize("most", [1, 7, 25, 1_000])
def test_many_blocks_are_merged_at_once_and_nothing_is_lost_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("salus_chain.node.storage.store.MERGED_ROWS", most)
    store = opened(tmp_path)
    state, ids = store.load(), []
    for number in range(12):
        tx = F.sign(F.validators[number % 2], state, Consent(bytes([number]) * 32, H))
        state = extend(store, state, tx)
        ids.append(sha256(tx).digest())
        waiting = store._database.one("SELECT count(*) FROM recent")
        assert waiting is not None and (waiting[0] == 0) == (len(store._recent) == 0) and len(store._recent) < most
        if number % 3 == 2:
            store.close()
            store = Store.open(tmp_path / "chain.sqlite", F.genesis)
        assert store.load() == state
        assert [store.place_of(each) for each in ids] == [(height, 0) for height in range(1, number + 2)]
    assert store.place_of(H) is None
    row = store._database.one("SELECT (SELECT count(*) FROM transactions), (SELECT count(*) FROM recent)")
    assert row is not None and sum(row) == 12


def test_a_disk_that_is_full_while_merging_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    state = extend(store, store.load())
    tx = F.sign(F.validators[0], state, Consent(H, H))
    recent = dict(store._recent.entries)
    monkeypatch.setattr("salus_chain.node.storage.store.MERGED_ROWS", 1)
    with monkeypatch.context() as broken:
        broken.setattr("salus_chain.node.storage.store._merge", full)
        with pytest.raises(DiskFull):
            extend(store, state, tx)
    assert (store.height, store.load(), store._recent.entries) == (1, state, recent)
    after = extend(store, state, tx)
    assert (store.load(), store.place_of(sha256(tx).digest()), len(store._recent)) == (after, (2, 0), 0)


def full(write: sqlite3.Connection, recent: Recent) -> None:
    raise DiskFull("disk full")


def test_blocks_and_transactions_are_found(tmp_path: Path) -> None:
    store = opened(tmp_path)
    start = store.load()
    model = F.quorum(ApproveModel(TASK, 1, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST))
    state = extend(store, start, model)
    release = F.quorum(ApproveRelease(TASK, 1, H, H, MODEL_DIGEST))
    state = extend(store, state, release)
    state = extend(store, state, F.quorum(ApproveRelease(TASK, 2, H, H, MODEL_DIGEST)))
    assert store.height_of(read_transaction(model).id) == 1
    assert store.height_of(H) is None
    assert store.newest_release(TASK) == (3, 0)
    assert store.newest_release("other") is None
    found = store.block(2)
    assert found is not None and found[0].transactions == (release,)
    assert found[1] == F.certify(found[0])
    assert store.block(9) is None


def test_a_round_is_found_also_after_the_next_one_opened(tmp_path: Path) -> None:
    store = opened(tmp_path)
    closed = F.closed()
    settle = F.quorum(F.settle_body(closed))
    block, settled = F.block(closed, settle)
    store.append(block, F.certify(block), closed, settled)
    opening = F.sign(F.coordinator, settled, F.open_body(settled))
    block, after = F.block(settled, opening)
    store.append(block, F.certify(block), settled, after)
    first, second = store.round(TASK, 1), store.round(TASK, 2)
    assert first == settled.rounds[TASK] and first is not None and first.status is RoundStatus.SETTLED
    assert second == after.rounds[TASK]
    assert store.settlement(TASK, 1) == (settled.height, 0)
    assert store.settlement(TASK, 2) is None


def test_a_round_that_ends_in_the_block_that_opens_the_next_is_kept_as_it_ended(tmp_path: Path) -> None:
    store, closed = opened(tmp_path), F.closed()
    settled = F.apply(closed, F.quorum(F.settle_body(closed)))
    opening = F.sign(F.coordinator, settled, F.open_body(settled))
    block, after = F.block(closed, F.quorum(F.settle_body(closed)), opening)
    store.append(block, F.certify(block), closed, after)
    first = store.round(TASK, 1)
    assert first is not None and first.status is RoundStatus.SETTLED
    assert first.model_after == settled.rounds[TASK].model_after
    assert store.round(TASK, 2) == after.rounds[TASK]
    assert store.ended_before(after.time_ms) is None
    assert store.ended_before(after.time_ms + 1) == (TASK, 1)


def test_commits_and_withdrawals_are_found(tmp_path: Path) -> None:
    store, state = opened(tmp_path), F.opened(F.enrolled())
    consent = F.sign(F.validators[0], state, Consent(H, H))
    state = extend(store, state, F.commit(state, 1), consent)
    state = extend(store, state, F.sign(F.validators[0], state, Withdraw(H)))
    assert store.marked(Kind.COMMIT, f"{TASK}/gateway-1", 1) == (state.height - 1, 0)
    assert store.marked(Kind.WITHDRAW, H.hex()) == (state.height, 0)
    assert store.place_of(read_transaction(consent).id) == (state.height - 1, 1)
    assert store.marked(Kind.COMMIT, f"{TASK}/gateway-2", 1) is None
    assert store.updates_of(TASK, 1) == {commit.digest for commit in state.rounds[TASK].commits}


def test_a_range_of_blocks_is_bounded_by_number_and_bytes(tmp_path: Path) -> None:
    store = opened(tmp_path)
    state = store.load()
    for _ in range(5):
        state = extend(store, state)

    def heights(*bounds: int) -> list[int]:
        return [block.header.height for block, _ in store.range(*bounds)]

    assert heights(2, 3, 1 << 20) == [2, 3, 4]
    assert heights(2, 3, 1) == [2]
    assert heights(4, 9, 1 << 20) == [4, 5]
    assert heights(6, 9, 1 << 20) == []


def test_what_a_key_signed_last_and_under_which_set_is_known(tmp_path: Path) -> None:
    store = opened(tmp_path)
    state = store.load()
    for _ in range(3):
        state = extend(store, state)
    keys = F.genesis.keys
    assert store.validators(1) == store.validators(9) == keys
    assert store.last_seal(keys[0], 0) == (3, 0)
    assert store.last_seal(keys[0], 3) is None
    assert store.last_seal(keys[3], 0) is None  # certificates hold a quorum, here the first three


def test_an_upload_is_remembered_once(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.add_upload(TASK, 1, "gateway-0", H)
    store.add_upload(TASK, 1, "gateway-0", bytes(32))
    assert store.upload(TASK, 1, "gateway-0") == H
    assert store.upload(TASK, 2, "gateway-0") is None
    assert (store.uploader(H), store.uploader(bytes(32))) == ("gateway-0", None)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    store = opened(tmp_path)
    state = store.load()
    after = extend(store, state)
    block, again = F.block(state)
    with pytest.raises(sqlite3.IntegrityError):
        store.append(block, F.certify(block), state, again)
    assert store.load() == after


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
