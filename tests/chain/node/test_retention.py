from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from salus_chain.node.storage import retention
from salus_chain.node.storage.blobs import FolderBlobs
from salus_chain.node.storage.retention import DAY_MS, needed, sweep
from salus_chain.node.storage.store import Store
from salus_chain.rules.state import State
from tests.chain.federation import MODEL, MODEL_DIGEST, TASK, federation

F = federation()
KEEP_MS = 30 * DAY_MS
EXTRA = b"uploaded, never committed"


@pytest.fixture
def settled(tmp_path: Path) -> tuple[Store, FolderBlobs, State]:
    """After a settled round of three updates, and one that was uploaded here and never committed."""
    Store.create(tmp_path / "chain.sqlite", F.genesis)
    store, blobs = Store.open(tmp_path / "chain.sqlite", F.genesis), FolderBlobs(tmp_path / "blobs", reserve_bytes=0)
    closed = F.closed()
    block, state = F.block(closed, F.quorum(F.settle_body(closed)))
    store.append(block, F.certify(block), closed, state)
    blobs.put(MODEL)
    for number in range(3):
        blobs.put(F.update(F.opened(F.enrolled()), number))
    store.add_upload(TASK, 1, "gateway-4", blobs.put(EXTRA))
    return store, blobs, state


async def test_updates_are_erased_when_their_time_is_over_and_models_stay(
    settled: tuple[Store, FolderBlobs, State],
) -> None:
    store, blobs, state = settled
    updates = {commit.digest for commit in state.rounds[TASK].commits} | {sha256(EXTRA).digest()}
    assert len(updates) == 4 and all(map(blobs.has, updates))
    over_ms = state.time_ms + KEEP_MS
    assert await sweep(store, blobs, state, over_ms, KEEP_MS) == 0
    assert all(map(blobs.has, updates)) and store.erased_ms(min(updates)) is None
    assert await sweep(store, blobs, state, over_ms + 1, KEEP_MS) == 4
    assert not any(map(blobs.has, updates))
    assert {store.erased_ms(digest) for digest in updates} == {over_ms + 1}
    assert blobs.get(MODEL_DIGEST) == MODEL
    assert await sweep(store, blobs, state, over_ms + 2, KEEP_MS) == 0


async def test_the_sweep_goes_in_small_steps(
    settled: tuple[Store, FolderBlobs, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, blobs, state = settled
    monkeypatch.setattr(retention, "STEP_UPDATES", 3)
    late_ms = state.time_ms + KEEP_MS + 1
    assert [await sweep(store, blobs, state, late_ms, KEEP_MS) for _ in range(3)] == [3, 1, 0]


async def test_a_crash_between_erasing_and_noting_it_is_made_up_for(settled: tuple[Store, FolderBlobs, State]) -> None:
    store, blobs, state = settled
    blobs.erase(state.rounds[TASK].commits[0].digest)
    late_ms = state.time_ms + KEEP_MS + 1
    assert await sweep(store, blobs, state, late_ms, KEEP_MS) == 4
    assert store.erased_ms(state.rounds[TASK].commits[0].digest) == late_ms


async def test_what_a_round_that_is_not_over_needs_is_never_erased(settled: tuple[Store, FolderBlobs, State]) -> None:
    store, blobs, state = settled
    closed = F.closed()
    wanted = {commit.digest for commit in closed.rounds[TASK].commits}
    assert wanted < needed(closed) and MODEL_DIGEST in needed(closed)
    assert await sweep(store, blobs, closed, state.time_ms + KEEP_MS + 1, KEEP_MS) == 1
    assert all(map(blobs.has, wanted)) and not blobs.has(sha256(EXTRA).digest())
    assert needed(state) == {MODEL_DIGEST, state.tasks[TASK].release.blob_digest, state.rounds[TASK].model_after} | {
        state.tasks[TASK].model_digest
    }
