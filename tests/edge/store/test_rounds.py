from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from salus_edge.store import Database, rounds
from salus_edge.store.rounds import RoundKey
from salus_edge.training.schedules import Parameters

KEY = RoundKey("wave", 1, "feature", bytes(32), "fedrep", Parameters(mu=0.25), 5_000)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "s.sqlite")


def test_a_second_draw_never_replaces_the_first(database: Database, tmp_path: Path) -> None:
    assert rounds.put_update(database, KEY, b"first", b"d1", 2, 0.5) == b"first"
    assert rounds.put_update(database, KEY, b"second", b"d2", 1, 0.4) == b"first"
    database.close()
    with Database(tmp_path / "s.sqlite") as again:
        assert rounds.put_update(again, KEY, b"third", b"d3", 1, 0.4) == b"first"
        kept = rounds.record(again, "wave", 1)
    assert kept is not None
    assert (kept.file, kept.weight, kept.status, kept.key) == (b"first", 2, "trained", KEY)


def test_who_sat_out_may_still_take_part_but_not_the_reverse(database: Database) -> None:
    rounds.sit_out(database, KEY, "no labelled data")
    assert rounds.put_update(database, KEY, b"late", b"d", 1, 0.1) == b"late"
    rounds.sit_out(database, KEY, "again")
    kept = rounds.record(database, "wave", 1)
    assert kept is not None
    assert (kept.file, kept.status) == (b"late", "trained")


def test_the_latest_round_of_a_kind_gives_the_arms_algorithm(database: Database) -> None:
    rounds.put_update(database, KEY, b"a", b"d", 1, 0.1)
    rounds.put_update(database, replace(KEY, round=2, algorithm="fedper"), b"b", b"d", 1, 0.1)
    rounds.sit_out(database, replace(KEY, round=3, kind="calibration"), "no windows")
    rounds.sit_out(database, replace(KEY, arm="other", round=9), "none")
    latest = rounds.latest(database, "wave", "feature")
    assert latest is not None
    assert (latest.key.round, latest.key.algorithm) == (2, "fedper")
    assert rounds.latest(database, "other", "calibration") is None


def test_a_status_keeps_the_bytes(database: Database) -> None:
    rounds.put_update(database, KEY, b"a", b"d", 1, 0.1)
    rounds.set_status(database, "wave", 1, "settled")
    kept = rounds.record(database, "wave", 1)
    assert kept is not None
    assert (kept.status, kept.file) == ("settled", b"a")
