"""Windows are asked for under a consent, from one base until the next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salus_edge.calibration import command_for
from salus_edge.config import Patient, Settings
from salus_edge.proto import link_pb2
from salus_edge.proto.link_pb2 import State
from salus_edge.store import Database
from tests.edge.world import CONSENT, START_MS

DAY_MS = 24 * 3_600_000
OLD, NEW = bytes([1]) * 32, bytes([2]) * 32


@pytest.fixture
def anna(settings: Settings) -> Patient:
    return settings.patients[0]


def asked(
    database: Database, patient: Patient, base: bytes = OLD, *, online: bool = True, calibrating: bool = False
) -> link_pb2.Calibrate | None:
    link = State.ONLINE if online else State.LEAVING
    said = State(link=link, base_sha256=base, clock_ms=START_MS, calibrating=calibrating)
    command = command_for(database, patient, said, DAY_MS)
    return None if command is None else link_pb2.Command.FromString(command).calibrate


def test_a_consenting_patients_wearable_is_asked_by_its_own_clock(database: Database, anna: Patient) -> None:
    order = asked(database, anna)
    assert order is not None
    assert (order.until_ms, order.consent) == (START_MS + DAY_MS, CONSENT)


def test_it_ends_with_the_next_base_and_does_not_begin_again(database: Database, anna: Patient) -> None:
    assert asked(database, anna) is not None
    stop = asked(database, anna, NEW, calibrating=True)
    assert stop is not None
    assert stop.until_ms == 0
    assert asked(database, anna, NEW) is None


def test_without_consent_or_wish_nothing_is_asked_and_what_runs_is_stopped(database: Database, anna: Patient) -> None:
    for patient in (replace(anna, consent=b""), replace(anna, calibrate=False)):
        assert asked(database, patient) is None
        stop = asked(database, patient, calibrating=True)
        assert stop is not None
        assert stop.until_ms == 0


def test_who_leaves_is_asked_nothing(database: Database, anna: Patient) -> None:
    assert asked(database, anna, online=False) is None
