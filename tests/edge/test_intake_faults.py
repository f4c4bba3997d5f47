"""A full disk, a bad packet among good ones, a replay of everything: nothing half done, nothing counted twice."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from salus_edge import intake
from salus_edge.config import Settings
from salus_edge.intake import Arrival, Expectation, Outcome, acknowledgement
from salus_edge.link import Label, Opened, WindowBatch, encode_labels
from salus_edge.proto import link_pb2
from salus_edge.store import Database, features, windows
from tests.edge.people import make_windows
from tests.edge.world import CONSENT, START_MS, WINDOW_MS, feature_batch

NOW_MS = START_MS


@pytest.fixture
def expected(settings: Settings) -> Expectation:
    return Expectation(settings, (32, 2), 8, settings.package.base_sha256)


class Device:
    """Numbers what anna's wearable says."""

    def __init__(self, settings: Settings, boot: int = 1) -> None:
        self.settings, self.boot, self.sequence = settings, boot, 0

    def say(self, kind: str, plaintext: bytes) -> Arrival:
        self.sequence += 1
        return Arrival(self.settings.patients[0], kind, Opened(self.boot, self.sequence, plaintext))

    def features(self, at: int, base: bytes = b"") -> Arrival:
        return self.say("feature", feature_batch(self.settings, 2, START_MS + at * WINDOW_MS, base).encode())

    def windows(self, at: int, count: int) -> Arrival:
        starts = START_MS + WINDOW_MS * (at + np.arange(count, dtype=np.int64))
        values = make_windows(np.arange(count) % 3, np.random.default_rng(at))
        return self.say("window", WindowBatch("wave", starts, WINDOW_MS, values, CONSENT).encode())

    def label(self, label: str = "slow") -> Arrival:
        said = Label("l1", START_MS, START_MS + WINDOW_MS, label, "setup", "wave")
        return self.say("label", encode_labels([said]))


@pytest.fixture
def device(settings: Settings) -> Device:
    return Device(settings)


def take(database: Database, expected: Expectation, *arrivals: Arrival) -> tuple[Outcome, ...]:
    return intake.store(database, arrivals, expected, NOW_MS)


def everything(database: Database) -> dict[str, list[str]]:
    tables = [row[0] for row in database.rows("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {table: sorted(map(repr, database.rows(f"SELECT * FROM {table}"))) for table in tables}


def test_a_replay_of_everything_changes_nothing(database: Database, expected: Expectation, device: Device) -> None:
    arrivals = [device.features(0), device.label(), device.windows(0, 2), device.features(2)]
    take(database, expected, *arrivals)
    before = everything(database)
    again = take(database, expected, *arrivals[::-1], *arrivals)
    assert everything(database) == before
    assert all(outcome.stored and not outcome.fresh for outcome in again)


def test_one_bad_packet_does_not_hold_up_the_others(database: Database, expected: Expectation, device: Device) -> None:
    outcomes = take(database, expected, device.features(0), device.label("flying"), device.features(2))
    assert [outcome.code for outcome in outcomes] == ["", "unknown_class", ""]
    assert features.count(database, "anna") == 4


def test_a_refused_packet_changes_nothing_but_that_it_came(
    database: Database, expected: Expectation, device: Device
) -> None:
    before = everything(database)
    take(database, expected, device.label("flying"), device.say("feature", b"\xff"))
    after = everything(database)
    assert {table for table in after if after[table] != before[table]} == {"packets"}


def test_when_the_disk_is_full_nothing_is_stored_and_nothing_acknowledged(
    database: Database, expected: Expectation, device: Device
) -> None:
    take(database, expected, device.features(0))
    before = everything(database)
    (pages,) = database.row("PRAGMA page_count") or (0,)
    database.rows(f"PRAGMA max_page_count = {pages}")
    flood = [device.windows(100 * at, 50) for at in range(8)]
    with pytest.raises(sqlite3.Error, match="full"):
        take(database, expected, *flood)
    assert everything(database) == before
    database.rows("PRAGMA max_page_count = 1000000")
    assert all(outcome.fresh and outcome.stored for outcome in take(database, expected, *flood))
    assert windows.count(database, "anna") == 400


def test_an_acknowledgement_has_ranges_and_refusals(
    database: Database, expected: Expectation, device: Device, settings: Settings
) -> None:
    outcomes = take(
        database,
        expected,
        device.features(0),
        device.features(2),
        device.label("flying"),
        device.features(4, base=bytes([9]) * 32),
        Device(settings, boot=2).features(6),
    )
    said = link_pb2.Ack.FromString(acknowledgement(outcomes[::-1]))
    ranges = [(each.boot, each.first_sequence, each.last_sequence) for each in said.ranges]
    assert ranges == [(1, 1, 2), (1, 4, 4), (2, 1, 1)]
    assert [(each.boot, each.sequence, each.code) for each in said.refusals] == [(1, 3, "unknown_class")]
