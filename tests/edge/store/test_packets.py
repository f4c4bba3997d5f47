from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_edge.store import Database, packets

HIGHEST = (1 << 64) - 1


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "s.sqlite")


def test_a_packet_is_admitted_once_for_ever(database: Database, tmp_path: Path) -> None:
    for boot, sequence in ((1, 1), (1, 2), (2, 1), (1, HIGHEST)):
        with database.transaction() as cursor:
            assert packets.admit(cursor, "d", boot, sequence, "feature", 0)
            assert not packets.admit(cursor, "d", boot, sequence, "feature", 0)
    database.close()
    with Database(tmp_path / "s.sqlite") as again, again.transaction() as cursor:
        assert not packets.admit(cursor, "d", 1, HIGHEST, "feature", 0)
        assert packets.admit(cursor, "e", 1, 1, "feature", 0)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), max_size=20))
def test_any_order_and_repetition_admits_each_packet_once(arrivals: list[tuple[int, int]]) -> None:
    with Database(Path(":memory:")) as database, database.transaction() as cursor:
        admitted = [each for each in arrivals if packets.admit(cursor, "d", *each, "feature", 0)]
    assert sorted(admitted) == sorted(set(arrivals))


def test_why_a_packet_was_refused_is_remembered(database: Database) -> None:
    with database.transaction() as cursor:
        packets.admit(cursor, "d", 1, 1, "label", 0)
        packets.refuse(cursor, "d", 1, 1, "unknown_class")
        packets.admit(cursor, "d", 1, 2, "label", 0)
        assert packets.code_of(cursor, "d", 1, 1) == "unknown_class"
        assert packets.code_of(cursor, "d", 1, 2) == ""


def test_an_older_state_does_not_replace_a_later_one(database: Database) -> None:
    with database.transaction() as cursor:
        assert packets.set_state(cursor, "d", 2, 5, b"later", 0)
        assert not packets.set_state(cursor, "d", 2, 4, b"earlier", 0)
        assert not packets.set_state(cursor, "d", 1, 99, b"before", 0)
        assert packets.set_state(cursor, "d", 3, 1, b"reboot", 0)
    assert packets.last_state(database, "d") == b"reboot"
    assert packets.last_state(database, "e") is None
