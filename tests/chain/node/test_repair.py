from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from salus_chain.errors import ConfigError, Damaged
from salus_chain.founding import prepare_folder
from salus_chain.node.recovery import repair as repairs
from salus_chain.node.recovery.repair import Repaired, repair
from salus_chain.node.recovery.resync import check_next, sync_from
from salus_chain.node.recovery.sources import Source
from salus_chain.node.storage.holdings import DATABASE_FILE, VOTES_FILE, open_holdings
from salus_chain.node.storage.store import Store
from salus_chain.node.storage.votes import Slot, VoteLog
from salus_chain.rules.state import State
from tests.chain.federation import federation
from tests.chain.node.test_resync import BLOCKS, CHAIN, LAST, Copy, F

KEY = F.genesis.keys[3]  # the first three sign all blocks of CHAIN
COMMIT = 3


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Of a validator that stopped cleanly after block 20, having voted for 21, and holds one update."""
    prepare_folder(tmp_path, F.genesis)
    store, votes = open_holdings(tmp_path, F.genesis, KEY)
    await sync_from(store, F.genesis, [Copy("others", CHAIN[:20])])
    store.add_upload("activity", 1, "gateway-0", bytes([5]) * 32)
    store.close()
    votes.record(Slot(21, 0, COMMIT), lambda: b"vote")
    votes.sync()
    votes.close()
    return tmp_path


async def repaired(folder: Path, others: Sequence[Source] = (), key: bytes = KEY) -> Repaired:
    def sources(state: State) -> Sequence[Source]:
        return others

    return await repair(folder, F.genesis, key, sources, clock_s=lambda: 1_234.5)


def holdings(folder: Path) -> tuple[State, tuple[bytes, ...], bytes | None]:
    """What the validator starts with: the state, its votes at height 21, its update's digest."""
    store, votes = open_holdings(folder, F.genesis, KEY)
    found = store.load(), tuple(record.message for record in votes.at(21)), store.upload("activity", 1, "gateway-0")
    store.close()
    votes.close()
    return found


def cut(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 100)


def scribble(path: Path) -> None:
    path.write_bytes(b"junk" * 4_096)


def spoil(query: str) -> Callable[[Path], None]:
    def run(path: Path) -> None:
        with sqlite3.connect(path) as database:
            database.execute(query)

    return run


DAMAGES: dict[str, Callable[[Path], None]] = {
    "cut off": cut,
    "not a database": scribble,
    "check sum": spoil("UPDATE blocks SET certificate = x'00' WHERE height = 8"),
    "no database": lambda path: path.unlink(),
    "another parent": spoil("DELETE FROM blocks WHERE height = 15"),
    "older version": spoil("PRAGMA user_version = 1"),
    "stored state": spoil("DELETE FROM recent WHERE height = 1"),
}


async def test_a_whole_database_is_verified_and_stays(folder: Path) -> None:
    done = await repaired(folder, [Copy("others", CHAIN[:20])])
    assert done == Repaired("", None, 20, "")
    assert {path.name for path in folder.iterdir()} == {DATABASE_FILE, VOTES_FILE}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_database_is_set_aside_and_comes_back_whole(folder: Path, damage: str) -> None:
    path = folder / DATABASE_FILE
    DAMAGES[damage](path)
    before = path.read_bytes() if path.exists() else b""
    done = await repaired(folder, [Copy("others", CHAIN)])
    assert damage in done.found
    assert (done.height, done.unreachable) == (BLOCKS, "")
    assert done.kept == (path.with_name(f"{path.name}.damaged-1234") if before else None)
    assert done.kept is None or done.kept.exists()
    state, votes, update = holdings(folder)
    assert (state, votes) == (LAST, (b"vote",))
    if damage in ("check sum", "stored state", "another parent", "older version"):
        assert update == bytes([5]) * 32


@pytest.mark.parametrize(("damage", "good"), [("check sum", 7), ("another parent", 14), ("stored state", 20)])
async def test_the_longest_good_part_is_kept_when_nobody_answers(folder: Path, damage: str, good: int) -> None:
    DAMAGES[damage](folder / DATABASE_FILE)
    done = await repaired(folder)
    assert (done.height, done.unreachable) == (good, "no source of blocks answers: none is named")
    if good < 20:
        with pytest.raises(Damaged, match=f"ends at height {good}, and this validator has voted at height 21"):
            open_holdings(folder, F.genesis, KEY)
    assert (await repaired(folder, [Copy("others", CHAIN)])).height == BLOCKS
    assert holdings(folder)[0] == LAST


async def test_a_block_that_was_never_final_is_not_kept(folder: Path) -> None:
    """Valid check sums, chained, executed: but a quorum never signed."""
    path = folder / DATABASE_FILE
    store = Store.open(path, F.genesis)
    state = store.load()
    block, after = F.block(state)
    store.append(block, F.certify(block, seats=2), state, after)
    store.close()
    done = await repaired(folder, [Copy("others", CHAIN)])
    assert "block 21: not_final" in done.found
    assert holdings(folder)[0] == LAST


async def test_an_interrupted_repair_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    DAMAGES["check sum"](folder / DATABASE_FILE)
    for step in ("_set_aside", "sync_folder"):
        with monkeypatch.context() as patch:

            def fail(*_: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(repairs, step, fail)
            with pytest.raises(KeyboardInterrupt):
                await repaired(folder, [Copy("others", CHAIN)])
    await repaired(folder, [Copy("others", CHAIN)])
    assert holdings(folder) == (LAST, (b"vote",), bytes([5]) * 32)


async def test_without_a_whole_vote_log_nothing_is_repaired(folder: Path) -> None:
    DAMAGES["check sum"](folder / DATABASE_FILE)
    (folder / VOTES_FILE).write_bytes(bytes(range(1, 200)))
    with pytest.raises(Damaged, match=r"votes.log: the record at byte 0 is damaged.*Make a new key"):
        await repaired(folder)
    (folder / VOTES_FILE).unlink()
    with pytest.raises(Damaged, match=r"the vote log is gone.*admit it as an observer"):
        await repaired(folder)
    assert not list(folder.glob("*.damaged*"))


async def test_an_old_copy_of_the_vote_log_is_noticed_by_a_certificate(folder: Path) -> None:
    (folder / VOTES_FILE).unlink()
    VoteLog.create(folder / VOTES_FILE)
    open_holdings(folder, F.genesis, KEY)[1].close()
    signer = F.genesis.keys[0]
    says = "an old copy, .*: it ends at height 0, round 0, and this key signed the block of height 20"
    with pytest.raises(Damaged, match=says):
        open_holdings(folder, F.genesis, signer)
    with pytest.raises(Damaged, match="this key signed the block of height 40"):
        await repaired(folder, [Copy("others", CHAIN)], signer)


async def test_a_lost_wal_file_is_noticed_by_the_vote_log(folder: Path) -> None:
    store, votes = open_holdings(folder, F.genesis, KEY)
    copy = (folder / DATABASE_FILE).read_bytes()
    state = store.load()
    for each in CHAIN[20:24]:
        after = check_next(state, each)
        store.append(each.block, each.certificate, state, after)
        state = after
    votes.record(Slot(25, 0, COMMIT), lambda: b"later")
    votes.sync()
    store.close()
    votes.close()
    (folder / DATABASE_FILE).write_bytes(copy)
    with pytest.raises(Damaged, match=r"ends at height 20, and this validator has voted at height 25. If its -wal"):
        open_holdings(folder, F.genesis, KEY)
    assert (await repaired(folder, [Copy("others", CHAIN)])).found == ""
    assert holdings(folder)[0] == LAST


async def test_a_running_validator_or_another_chains_database_is_left_alone(folder: Path) -> None:
    log = VoteLog.open(folder / VOTES_FILE)
    with pytest.raises(ConfigError, match="another process runs this validator"):
        await repaired(folder)
    log.close()
    with pytest.raises(ConfigError, match="belongs to chain"):
        await repair(folder, federation(5).genesis, KEY, lambda state: ())
    assert holdings(folder)[0].height == 20
