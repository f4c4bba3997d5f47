from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from salus_chain.errors import ConfigError
from salus_chain.node.store import SNAPSHOT_BLOCKS, Store
from salus_chain.rules.state import RoundStatus, State
from salus_chain.rules.transactions import ApproveModel, ApproveRelease, read_transaction
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
    for _ in range(SNAPSHOT_BLOCKS + 3):
        state = extend(store, state)
    store.close()
    assert Store.open(tmp_path / "chain.sqlite", F.genesis).load() == state


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
    with pytest.raises(ConfigError, match="not a validator's database"):
        Store.open(tmp_path / "junk", F.genesis)
