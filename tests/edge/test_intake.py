from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from salus_edge import bases, intake
from salus_edge.config import Settings
from salus_edge.errors import Refused
from salus_edge.intake import Arrival, Expectation, Outcome, acknowledgement
from salus_edge.link import (
    FeatureBatch,
    Label,
    Sealer,
    WindowBatch,
    derive_keys,
    encode_labels,
    open_packet,
    topic,
)
from salus_edge.proto import link_pb2
from salus_edge.store import Database, features, labels, packets, windows
from tests.edge.house import (
    CHANNELS,
    DAY_MS,
    FEATURES,
    FEDERATION,
    SAMPLES,
    TASK,
    WINDOW_MS,
    consent,
)

CHAIN = bytes(32)


class Wearable:
    """Seals what patient 0's wearable would say."""

    def __init__(self, settings: Settings, boot: int = 1, number: int = 0) -> None:
        self.settings, self.patient = settings, settings.patients[number]
        keys = derive_keys(self.patient.link_secret, settings.genesis.chain_id, self.patient.device)
        self.up, self.sealer = keys.up, Sealer(keys.up, boot)

    def say(self, kind: str, plaintext: bytes) -> Arrival:
        where = topic(FEDERATION, self.patient.device, kind)
        payload = self.sealer.seal(where, plaintext).payload
        return Arrival(self.patient, kind, open_packet(self.up, where, payload))

    def features(self, at: int, count: int = 2, base: bytes | None = None, width: int = FEATURES) -> Arrival:
        start = DAY_MS + (at + np.arange(count, dtype=np.int64)) * WINDOW_MS
        values = np.full((count, width), at % 100, np.int8)
        digest = base or self.settings.package.base_sha256
        batch = FeatureBatch(TASK, 1, digest, start, WINDOW_MS, values, np.empty((count, 0), np.int16))
        return self.say("feature", batch.encode())

    def windows(self, at: int, count: int = 2, under: bytes = b"", channels: int = CHANNELS) -> Arrival:
        start = DAY_MS + (at + np.arange(count, dtype=np.int64)) * WINDOW_MS
        values = np.ones((count, SAMPLES, channels), np.float32)
        batch = WindowBatch(TASK, start, WINDOW_MS, values, under or consent(0))
        return self.say("window", batch.encode())

    def label(self, label: str = "slow", id: str = "l1", source: str = "setup", task: str = TASK) -> Arrival:
        return self.say("label", encode_labels([Label(id, DAY_MS, DAY_MS + 5_000, label, source, task)]))


@pytest.fixture
def wearable(settings: Settings) -> Wearable:
    return Wearable(settings)


@pytest.fixture
def database(settings: Settings) -> Database:
    return Database(settings.store)


@pytest.fixture
def expected(settings: Settings, database: Database) -> Expectation:
    base = bases.current(database, settings, settings.arms[0].task).base
    return Expectation(settings, (SAMPLES, CHANNELS), FEATURES, base)


@pytest.fixture
def take(database: Database, expected: Expectation) -> Callable[..., tuple[Outcome, ...]]:
    return lambda *arrivals: intake.store(database, arrivals, expected, now_ms=DAY_MS)


def everything(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """All rows but when a packet came."""
    tables = [row[0] for row in database.rows("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    rows = {table: database.rows(f"SELECT * FROM {table}") for table in tables}
    return {table: sorted(found, key=repr) for table, found in rows.items()}


Take = Callable[..., tuple[Outcome, ...]]


def test_a_packet_and_its_content_are_stored_together(wearable: Wearable, take: Take, database: Database) -> None:
    (outcome,) = take(wearable.features(0))
    assert (outcome.fresh, outcome.code, outcome.stored) == (True, "", True)
    found = features.read(database, "p0", wearable.settings.package.base_sha256)
    assert found.start_ms.tolist() == [DAY_MS, DAY_MS + WINDOW_MS]
    assert packets.count(database, "wear-0") == 1


def test_a_replayed_packet_changes_nothing_and_is_acknowledged_again(
    wearable: Wearable, take: Take, database: Database
) -> None:
    arrivals = [wearable.features(0), wearable.label(), wearable.windows(0)]
    take(*arrivals)
    before = everything(database)
    again = take(*arrivals, *arrivals)
    assert everything(database) == before
    assert not any(outcome.fresh for outcome in again)
    assert all(outcome.stored for outcome in again)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_the_order_of_features_does_not_matter(
    order: tuple[int, ...], wearable: Wearable, take: Take, database: Database
) -> None:
    arrivals = [wearable.features(2 * at) for at in range(4)]
    for at in order:
        take(arrivals[at])
    found = features.read(database, "p0", wearable.settings.package.base_sha256)
    assert found.start_ms.tolist() == [DAY_MS + at * WINDOW_MS for at in range(8)]
    assert found.values[:, 0].tolist() == [0, 0, 2, 2, 4, 4, 6, 6]


def test_features_of_an_old_model_are_kept_apart_and_not_predicted(
    wearable: Wearable, take: Take, database: Database
) -> None:
    old = bytes([9]) * 32
    (outcome,) = take(wearable.features(0, base=old))
    assert (outcome.code, outcome.stored) == ("old_model", True)
    assert len(features.read(database, "p0", old)) == 2
    assert len(features.read(database, "p0", wearable.settings.package.base_sha256)) == 0


def test_a_later_label_of_the_same_id_replaces_the_earlier(wearable: Wearable, take: Take, database: Database) -> None:
    take(wearable.label("slow"), wearable.label("fast"), wearable.label("still", id="l2"))
    assert [each.label for each in labels.read(database, "p0", TASK)] == ["fast", "still"]


@pytest.mark.parametrize(
    ("say", "code"),
    [
        (lambda w: w.label("running"), "unknown_class"),
        (lambda w: w.label(source="neighbour"), "unknown_source"),
        (lambda w: w.label(task="sleep"), "unknown_task"),
        (lambda w: w.features(0, width=FEATURES + 1), "wrong_shape"),
        (lambda w: w.windows(0, channels=CHANNELS + 1), "wrong_shape"),
        (lambda w: w.windows(0, under=consent(7)), "no_consent"),
        (lambda w: w.say("feature", b"\xff\xff"), "malformed"),
        (lambda w: w.say("label", b""), "malformed"),
        (lambda w: w.say("ack", b""), "malformed"),
    ],
)
def test_content_against_a_rule_is_refused_by_name_and_changes_nothing(
    say: Callable[[Wearable], Arrival], code: str, wearable: Wearable, take: Take, database: Database
) -> None:
    before = everything(database)
    arrival = say(wearable)
    (outcome,) = take(arrival)
    assert (outcome.code, outcome.stored, outcome.content) == (code, False, None)
    after = everything(database)
    assert {name for name in after if after[name] != before[name]} == {"packets"}
    (again,) = take(arrival)
    assert (again.fresh, again.code) == (False, code)


def test_one_bad_packet_does_not_hold_up_the_others(wearable: Wearable, take: Take, database: Database) -> None:
    good, bad, better = take(wearable.features(0), wearable.label("running"), wearable.features(2))
    assert (good.code, bad.code, better.code) == ("", "unknown_class", "")
    assert features.count(database, "p0") == 4


def test_when_the_disk_is_full_nothing_is_stored_and_nothing_acknowledged(
    wearable: Wearable, take: Take, database: Database
) -> None:
    take(wearable.features(0))
    before = everything(database)
    pages = database.row("PRAGMA page_count")
    assert pages is not None
    database.rows(f"PRAGMA max_page_count = {pages[0]}")
    flood = [wearable.windows(100 * at, count=50) for at in range(8)]
    with pytest.raises(sqlite3.Error, match="full"):
        take(*flood)
    assert everything(database) == before
    database.rows("PRAGMA max_page_count = 1000000")
    assert all(outcome.fresh and outcome.stored for outcome in take(*flood))
    assert windows.count(database, "p0") == 400


def test_what_is_sealed_with_another_key_is_never_opened(settings: Settings, wearable: Wearable) -> None:
    where = topic(FEDERATION, "wear-0", "feature")
    stranger = derive_keys(settings.patients[1].link_secret, settings.genesis.chain_id, "wear-1")
    with pytest.raises(Refused, match="wrong_key"):
        open_packet(wearable.up, where, Sealer(stranger.up, 1).seal(where, b"x").payload)
    with pytest.raises(Refused, match="truncated"):
        open_packet(wearable.up, where, wearable.sealer.seal(where, b"x" * 40).payload[:-20])


def test_an_acknowledgement_has_ranges_and_refusals(wearable: Wearable, take: Take) -> None:
    outcomes = take(
        wearable.features(0),
        wearable.features(2),
        wearable.label("running"),
        wearable.features(4, base=bytes([9]) * 32),
        Wearable(wearable.settings, boot=2).features(6),
    )
    said = link_pb2.Ack.FromString(acknowledgement(outcomes[::-1]))
    ranges = [(each.boot, each.first_sequence, each.last_sequence) for each in said.ranges]
    assert ranges == [(1, 1, 2), (1, 4, 4), (2, 1, 1)]
    assert [(each.boot, each.sequence, each.code) for each in said.refusals] == [(1, 3, "unknown_class")]


def test_an_older_state_that_comes_late_is_not_acted_on(wearable: Wearable, take: Take) -> None:
    early = wearable.say("state", link_pb2.State(link=link_pb2.State.ONLINE).SerializeToString())
    late = wearable.say("state", link_pb2.State(link=link_pb2.State.LEAVING).SerializeToString())
    (first,) = take(late)
    (second,) = take(early)
    assert isinstance(first.content, link_pb2.State)
    assert (second.stored, second.content) == (True, None)


def test_a_retained_state_is_acted_on_again_after_a_restart(
    wearable: Wearable, take: Take, settings: Settings, expected: Expectation, database: Database
) -> None:
    state = wearable.say("state", link_pb2.State(link=link_pb2.State.ONLINE).SerializeToString())
    take(state)
    database.close()
    with Database(Path(settings.store)) as again:
        (outcome,) = intake.store(again, [state], expected, now_ms=DAY_MS)
    assert not outcome.fresh
    assert isinstance(outcome.content, link_pb2.State)
