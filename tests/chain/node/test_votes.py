from __future__ import annotations

from pathlib import Path

import pytest

from salus_chain.consensus.core import Type, Vote
from salus_chain.errors import ConfigError, Rejected
from salus_chain.node.votes import COMPACT_BYTES, VoteLog


def vote(height: int, type_: Type = Type.PREPARE, digest: bytes = b"d") -> Vote:
    return Vote(type_, height, 0, digest)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    VoteLog.create(tmp_path / "votes.log")
    return tmp_path / "votes.log"


def test_a_slot_gives_its_stored_bytes_also_after_a_restart(path: Path) -> None:
    log = VoteLog.open(path)
    assert log.record(vote(1), lambda: b"first") == b"first"
    assert log.record(vote(1, digest=b"other"), lambda: b"second") == b"first"
    log.close()
    log = VoteLog.open(path)
    assert log.record(vote(1), lambda: b"third") == b"first"
    assert log.record(vote(1, Type.COMMIT), lambda: b"commit") == b"commit"
    assert log.at(1) == (b"first", b"commit")


def test_a_vote_is_on_disk_before_it_is_returned(path: Path) -> None:
    log = VoteLog.open(path)
    log.record(vote(1), lambda: b"message")
    assert b"message" in path.read_bytes()


def test_a_regression_is_refused(path: Path) -> None:
    log = VoteLog.open(path)
    log.record(vote(5), lambda: b"five")
    with pytest.raises(Rejected, match="vote_regression"):
        log.record(vote(4), lambda: b"four")
    log.close()
    with pytest.raises(Rejected, match="vote_regression"):
        VoteLog.open(path).record(vote(3), lambda: b"three")


def test_every_torn_tail_is_cut_and_the_rest_kept(path: Path) -> None:
    log = VoteLog.open(path)
    log.record(vote(1), lambda: b"kept")
    whole = path.read_bytes()
    log.record(vote(1, Type.COMMIT), lambda: b"torn")
    log.close()
    full = path.read_bytes()
    for end in range(len(whole), len(full)):
        path.write_bytes(full[:end])
        log = VoteLog.open(path)
        assert log.at(1) == (b"kept",)
        assert path.read_bytes() == whole
        assert log.record(vote(1, Type.COMMIT), lambda: b"again") == b"again"
        log.close()


def test_damage_before_the_end_stops_the_validator(path: Path) -> None:
    log = VoteLog.open(path)
    log.record(vote(1), lambda: b"one")
    log.record(vote(2), lambda: b"two")
    log.close()
    data = bytearray(path.read_bytes())
    data[12] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ConfigError, match="damaged"):
        VoteLog.open(path)


def test_a_lost_log_is_never_made_anew(path: Path) -> None:
    with pytest.raises(ConfigError, match="never made anew"):
        VoteLog.create(path)
    path.unlink()
    with pytest.raises(ConfigError, match="the vote log is gone"):
        VoteLog.open(path)


def test_two_processes_cannot_vote_with_one_log(path: Path) -> None:
    log = VoteLog.open(path)
    with pytest.raises(ConfigError, match="another process"):
        VoteLog.open(path)
    log.close()
    VoteLog.open(path).close()


def test_a_long_log_is_rewritten_with_its_latest_height(path: Path) -> None:
    log = VoteLog.open(path)
    log.record(vote(1), lambda: bytes(COMPACT_BYTES + 1))
    log.record(vote(2), lambda: b"two")
    assert path.stat().st_size > COMPACT_BYTES  # height 1 was the latest until now
    log.record(vote(3), lambda: b"three")
    assert path.stat().st_size < 200
    log.close()
    assert VoteLog.open(path).at(3) == (b"three",)
