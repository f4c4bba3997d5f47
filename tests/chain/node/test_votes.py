from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from salus_chain.errors import ConfigError, Damaged, Rejected, Stopped
from salus_chain.node.storage.votes import COMPACT_BYTES, KEEP_ROUNDS, Record, Slot, VoteLog

PREPARE, COMMIT = 2, 3


@pytest.fixture
def path(tmp_path: Path) -> Path:
    VoteLog.create(tmp_path / "votes.log")
    return tmp_path / "votes.log"


def vote(log: VoteLog, height: int, message: bytes, round_: int = 0, type_: int = PREPARE, lock: bytes = b"") -> bytes:
    return log.record(Slot(height, round_, type_), lambda: message, lock)


def messages(log: VoteLog, height: int) -> list[bytes]:
    return [record.message for record in log.at(height)]


def test_a_slot_gives_its_stored_bytes_also_after_a_restart(path: Path) -> None:
    log = VoteLog.open(path)
    assert vote(log, 1, b"first") == b"first"
    assert vote(log, 1, b"second") == b"first"
    log.sync()
    log.close()
    log = VoteLog.open(path)
    assert vote(log, 1, b"third") == b"first"
    assert vote(log, 1, b"commit", type_=COMMIT, lock=b"certificate") == b"commit"
    assert log.at(1) == (
        Record(Slot(1, 0, PREPARE), b"first"),
        Record(Slot(1, 0, COMMIT), b"commit", b"certificate"),
    )


def test_votes_are_on_disk_after_one_write_and_one_sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log, synced, real = VoteLog.open(path), list[bytes](), os.fdatasync

    def sync(fd: int) -> None:
        real(fd)
        synced.append(path.read_bytes())

    monkeypatch.setattr(os, "fdatasync", sync)
    vote(log, 1, b"message")
    vote(log, 1, b"another", type_=COMMIT, lock=b"lock")
    log.sync()
    log.sync()
    assert len(synced) == 1
    assert all(part in synced[0] for part in (b"message", b"another", b"lock"))


def test_a_regression_is_refused_by_height_and_round(path: Path) -> None:
    log = VoteLog.open(path)
    vote(log, 5, b"five", 2, COMMIT)
    assert vote(log, 5, b"an earlier type of the same round", 2) == b"an earlier type of the same round"
    assert log.latest == (5, 2)
    for _ in range(2):
        for height, round_ in [(4, 9), (5, 1)]:
            with pytest.raises(Rejected, match="vote_regression"):
                vote(log, height, b"earlier", round_)
        log.sync()
        log.close()
        log = VoteLog.open(path)
    assert vote(log, 5, b"other", 2, COMMIT) == b"five"
    assert vote(log, 6, b"six") == b"six"
    with pytest.raises(Rejected, match="height 5, round 3 after one at height 6, round 0"):
        vote(log, 5, b"earlier", 3)


def written(path: Path) -> tuple[bytes, bytes]:
    """A log of one synced vote, then of two more of one sync."""
    log = VoteLog.open(path)
    vote(log, 1, b"kept")
    log.sync()
    whole = path.read_bytes()
    vote(log, 1, b"torn" * 300, type_=COMMIT)
    vote(log, 1, b"torn too", 1)
    log.sync()
    log.close()
    return whole, path.read_bytes()


def test_every_torn_tail_is_cut_and_the_rest_kept(path: Path) -> None:
    whole, full = written(path)
    short = [full[:end] for end in range(len(whole), len(full))]
    unwritten = [full[:end] + bytes(len(full) - end) for end in (len(whole), 512, 1024)]
    for data in short + unwritten:
        path.write_bytes(data)
        log = VoteLog.open(path)
        assert messages(log, 1)[0] == b"kept"
        assert b"torn too" not in messages(log, 1)
        log.close()


def test_a_sync_whose_first_sectors_were_never_written_is_cut_whole(path: Path) -> None:
    whole, full = written(path)
    torn = bytearray(full)
    torn[512:1024] = bytes(512)
    path.write_bytes(bytes(torn))
    assert b"torn too" in torn
    log = VoteLog.open(path)
    assert messages(log, 1) == [b"kept"]
    assert path.read_bytes() == whole


def test_damage_of_what_was_durable_stops_the_validator(path: Path) -> None:
    _, full = written(path)
    for at in range(len(full)):
        damaged = bytearray(full)
        damaged[at] ^= 1
        path.write_bytes(bytes(damaged))
        with pytest.raises(Damaged, match="is damaged"):
            VoteLog.open(path)


def test_a_lost_log_is_never_made_anew(path: Path) -> None:
    with pytest.raises(ConfigError, match="never made anew"):
        VoteLog.create(path)
    path.unlink()
    with pytest.raises(Damaged, match="the vote log is gone; this validator has voted"):
        VoteLog.open(path)


def test_two_processes_cannot_vote_with_one_log(path: Path) -> None:
    log = VoteLog.open(path)
    with pytest.raises(ConfigError, match="another process"):
        VoteLog.open(path)
    log.close()
    VoteLog.open(path).close()


def test_a_long_log_is_rewritten_with_its_latest_height_and_stays_held(path: Path) -> None:
    log = VoteLog.open(path)
    vote(log, 1, bytes(COMPACT_BYTES + 1))
    log.sync()
    assert path.stat().st_size > COMPACT_BYTES
    vote(log, 2, b"two")
    log.sync()
    assert path.stat().st_size < 200
    with pytest.raises(ConfigError, match="another process"):
        VoteLog.open(path)
    vote(log, 2, b"more", type_=COMMIT)
    log.sync()
    log.close()
    assert messages(VoteLog.open(path), 2) == [b"two", b"more"]


def test_a_height_of_very_many_rounds_keeps_the_last_ones_and_the_newest_lock(path: Path) -> None:
    log = VoteLog.open(path)
    vote(log, 1, b"old lock", 1, COMMIT, b"lock 1")
    vote(log, 1, b"locked", 3, COMMIT, b"lock 3")
    for round_ in range(4, 100):
        vote(log, 1, b"change", round_, 4)
    log.sync()
    for _ in range(2):
        rounds = [record.slot.round for record in log.at(1)]
        assert rounds == [3, *range(100 - KEEP_ROUNDS, 100)]
        assert log.at(1)[0].lock == b"lock 3"
        log.close()
        log = VoteLog.open(path)


@pytest.mark.parametrize(("number", "says"), [(errno.ENOSPC, "disk full; free space"), (errno.EIO, "the disk fails")])
def test_after_a_failed_sync_nothing_is_ever_recorded_or_synced_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    log = VoteLog.open(path)

    def fail(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    vote(log, 1, b"one")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fail)
        with pytest.raises(Stopped, match=says):
            log.sync()
    for again in (log.sync, lambda: vote(log, 1, b"one"), lambda: vote(log, 2, b"two")):
        with pytest.raises(Stopped, match=says):
            again()


def test_what_a_killed_process_wrote_is_made_durable_before_it_is_said_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = VoteLog.open(path)
    monkeypatch.setattr(os, "fdatasync", lambda fd: os._exit(9))
    vote(log, 1, b"written, never synced")
    child = os.fork()
    if child == 0:
        log.sync()
    os.waitpid(child, 0)
    log.close()
    synced, real = list[bytes](), os.fsync

    def sync(fd: int) -> None:
        real(fd)
        if not synced:
            synced.append(os.pread(fd, 1 << 16, 0))

    monkeypatch.setattr(os, "fsync", sync)
    assert messages(VoteLog.open(path), 1) == [b"written, never synced"]
    assert b"written, never synced" in synced[0]
