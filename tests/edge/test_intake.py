"""What packets say is stored once and acknowledged, or refused with a code."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from salus_edge.config import Settings
from salus_edge.intake import OLD_MODEL, Arrival, Expectation, Outcome, acknowledgement, store
from salus_edge.link.messages import FeatureBatch, Label, encode_labels
from salus_edge.link.seal import Opened
from salus_edge.proto import link_pb2
from salus_edge.store import Database, features, labels, packets, windows
from tests.edge.world import START_MS, WINDOW_MS, feature_batch, window_batch

LABEL = Label("a", START_MS, START_MS + WINDOW_MS, "slow", "setup", "wave")


@pytest.fixture
def expected(settings: Settings) -> Expectation:
    return Expectation(settings, (32, 2), 8, settings.package.base_sha256)


def arrival(expected: Expectation, kind: str, plaintext: bytes, sequence: int = 1, boot: int = 1) -> Arrival:
    return Arrival(expected.settings.patients[0], kind, Opened(boot, sequence, plaintext))


def one(database: Database, each: Arrival, expected: Expectation) -> Outcome:
    (outcome,) = store(database, [each], expected, START_MS)
    return outcome


def ack(outcomes: list[Outcome]) -> link_pb2.Ack:
    return link_pb2.Ack.FromString(acknowledgement(outcomes))


def test_a_packet_sent_twice_is_stored_once_and_acknowledged_twice(
    database: Database, expected: Expectation, settings: Settings
) -> None:
    each = arrival(expected, "feature", feature_batch(settings).encode())
    first, again = one(database, each, expected), one(database, each, expected)
    assert (first.fresh, again.fresh) == (True, False)
    assert again.content is None
    assert len(features.read(database, "anna", expected.base)) == 3
    assert ack([first]) == ack([again])
    assert list(ack([first]).ranges) == [link_pb2.Range(boot=1, first_sequence=1, last_sequence=1)]


def test_packets_in_any_order_are_all_stored(database: Database, expected: Expectation, settings: Settings) -> None:
    sent = [
        arrival(expected, "feature", feature_batch(settings, 1, START_MS + WINDOW_MS * at).encode(), at + 1)
        for at in range(20)
    ]
    shuffled = random.Random(1).sample(sent, len(sent))
    outcomes = list(store(database, shuffled, expected, 1))
    assert list(ack(outcomes).ranges) == [link_pb2.Range(boot=1, first_sequence=1, last_sequence=20)]
    found = features.read(database, "anna", expected.base)
    assert found.start_ms.tolist() == [START_MS + WINDOW_MS * at for at in range(20)]


def test_features_of_an_older_model_are_kept_apart(
    database: Database, expected: Expectation, settings: Settings
) -> None:
    old = bytes([9]) * 32
    outcome = one(database, arrival(expected, "feature", feature_batch(settings, base=old).encode()), expected)
    assert outcome.code == OLD_MODEL
    assert outcome.stored
    assert len(ack([outcome]).ranges) == 1
    assert len(features.read(database, "anna", old)) == 3
    assert len(features.read(database, "anna", expected.base)) == 0


def test_windows_need_the_consent(database: Database, expected: Expectation) -> None:
    good = one(database, arrival(expected, "window", window_batch().encode()), expected)
    bad = one(database, arrival(expected, "window", window_batch(consent=bytes(32)).encode(), 2), expected)
    assert (good.code, bad.code) == ("", "no_consent")
    assert windows.count(database, "anna") == 2
    assert [(each.sequence, each.code) for each in ack([good, bad]).refusals] == [(2, "no_consent")]


def narrow(settings: Settings) -> FeatureBatch:
    return replace(feature_batch(settings), values=np.zeros((3, 5), np.int8))


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        ("feature", b"\xff", "malformed"),
        ("feature", b"", "malformed"),
        ("window", b"", "malformed"),
        ("label", b"", "malformed"),
        ("state", b"\xff", "malformed"),
        ("ack", b"", "malformed"),
        ("label", encode_labels([replace(LABEL, label="fly")]), "unknown_class"),
        ("label", encode_labels([replace(LABEL, source="rumour")]), "unknown_source"),
        ("label", encode_labels([replace(LABEL, task="other")]), "unknown_task"),
        ("window", replace(window_batch(), windows=np.zeros((2, 4, 2), np.float32)).encode(), "wrong_shape"),
    ],
)
def test_bad_content_is_refused_for_good(
    kind: str, content: bytes, code: str, database: Database, expected: Expectation
) -> None:
    for _ in range(2):
        outcome = one(database, arrival(expected, kind, content), expected)
        assert outcome.code == code
        assert [each.code for each in ack([outcome]).refusals] == [code]
    assert packets.count(database, "wearable-anna") == 1


def test_features_of_another_width_are_refused(database: Database, expected: Expectation, settings: Settings) -> None:
    outcome = one(database, arrival(expected, "feature", narrow(settings).encode()), expected)
    assert outcome.code == "wrong_shape"


def test_a_later_label_of_the_same_id_replaces_the_earlier(database: Database, expected: Expectation) -> None:
    for sequence, name in ((1, "slow"), (2, "fast")):
        content = encode_labels([replace(LABEL, label=name)])
        one(database, arrival(expected, "label", content, sequence), expected)
    assert [each.label for each in labels.read(database, "anna", "wave")] == ["fast"]


def test_an_older_state_does_not_replace_a_newer(database: Database, expected: Expectation) -> None:
    new = link_pb2.State(link=link_pb2.State.ONLINE, model_version=2).SerializeToString()
    old = link_pb2.State(link=link_pb2.State.LEAVING, model_version=1).SerializeToString()
    assert one(database, arrival(expected, "state", new, 5, boot=2), expected).content is not None
    assert one(database, arrival(expected, "state", old, 9, boot=1), expected).content is None
    assert packets.last_state(database, "wearable-anna") == new
    retained = one(database, arrival(expected, "state", new, 5, boot=2), expected)
    assert not retained.fresh
    assert retained.content is not None


def test_an_event_is_kept(database: Database, expected: Expectation) -> None:
    said = link_pb2.Event(kind=link_pb2.Event.ALARM, code="fall").SerializeToString()
    assert one(database, arrival(expected, "event", said), expected).code == ""
    assert database.rows("SELECT content FROM events") == [(said,)]
