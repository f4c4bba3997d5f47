"""The simulated disk keeps the contract of the real vote log: what it says after any crash, the real one says too."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from salus_chain.consensus.messages import Type
from salus_chain.errors import Rejected
from salus_chain.node.storage import votes as real
from salus_chain.node.storage.votes import VoteLog
from salus_chain.simulation.disk import KEEP_ROUNDS, Disk, Regression, Slot
from tests.chain.consensus.table import Table

TABLE = Table()
LOCK = TABLE.lock(0, TABLE.x)
VOTES = st.tuples(st.integers(1, 2), st.integers(0, 40), st.sampled_from(list(Type)), st.booleans())
STEPS = st.lists(st.one_of(VOTES, st.just("sync"), st.just("crash")), max_size=40)


def test_both_keep_as_many_rounds() -> None:
    assert KEEP_ROUNDS == real.KEEP_ROUNDS


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_after_any_crash_both_say_the_same(steps: list[tuple[int, int, Type, bool] | str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "votes.log"
        VoteLog.create(path)
        log, disk = VoteLog.open(path), Disk()
        for number, each in enumerate([*steps, "crash"]):
            if each == "sync":
                log.sync()
                disk.sync()
            elif each == "crash":
                log.close()
                disk.crash()
                log = VoteLog.open(path)
                for height in (1, 2):
                    messages, lock = disk.restore(height)
                    assert [message.signature for message in messages] == [each.message for each in log.at(height)]
                    assert (lock is not None) == any(record.lock for record in log.at(height))
            else:
                assert not isinstance(each, str)
                height, round_, type_, locks = each
                assert _records(log, disk, Slot(height, round_, int(type_)), bytes([number]), locks)
        log.close()


def _records(log: VoteLog, disk: Disk, slot: Slot, content: bytes, locks: bool) -> bool:
    """Whether both store the same message in the slot, or both refuse."""
    vote = TABLE.change(1, 1)
    message = type(vote)(vote.type, slot.height, slot.round, vote.digest, vote.seat, content)
    try:
        stored = log.record(real.Slot(*slot), lambda: content, b"lock" if locks else b"")
    except Rejected:
        try:
            disk.record(slot, lambda: message, LOCK if locks else None)
        except Regression:
            return True
        return False
    return disk.record(slot, lambda: message, LOCK if locks else None).signature == stored
