from __future__ import annotations

import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from salus_chain.errors import DiskFull
from salus_chain.node.storage.recent import Recent
from salus_chain.node.storage.store import Store
from salus_chain.rules.state import RoundStatus, Table, entries, entry_key, state_root
from salus_chain.rules.transactions import ApproveModel, ApproveRelease, Consent, Kind, Withdraw, read_transaction
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, TASK
from tests.chain.node.stored import F, H, extend, opened


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
