"""Power, reset, and who answers."""

from __future__ import annotations

import pytest

from salus_edge.proto.console_pb2 import Status
from salus_hil.rig.driver import Wearable
from salus_hil.rig.package import recording


def test_a_wearable_from_the_factory_says_hello_and_is_nobodys(wearable: Wearable) -> None:
    hello = wearable.hello()
    assert hello.firmware_version and hello.board
    assert not hello.provisioned and not hello.device and not hello.task and not hello.base_sha256
    assert hello.max_frame_bytes >= 4096
    assert wearable.status().ring_packets == 0


def test_a_reset_is_a_new_start_of_the_same_wearable(enrolled: Wearable) -> None:
    before, hello = enrolled.status(), enrolled.hello()
    assert enrolled.reset() == hello
    after = enrolled.status()
    assert after.boot == before.boot + 1
    assert after.base_sha256 == before.base_sha256


@pytest.mark.needs("power")
def test_a_power_cut_forgets_nothing_that_was_said_to_be_done(enrolled: Wearable) -> None:
    hello, boot = enrolled.hello(), enrolled.status().boot
    assert enrolled.power_cycle() == hello
    status = enrolled.status()
    assert status.boot == boot + 1
    assert status.reset_cause in (Status.POWER_ON, Status.RESET_CAUSE_UNSPECIFIED)
    assert enrolled.golden().mismatches == 0


def test_opening_the_port_again_is_no_reset(enrolled: Wearable) -> None:
    """DTR and RTS of a USB serial line reset an ESP32 when they change."""
    before = enrolled.status()
    for _ in range(3):
        enrolled.reopen()
    after = enrolled.status()
    assert after.boot == before.boot and after.uptime_ms >= before.uptime_ms


@pytest.mark.needs("board")
def test_a_board_has_room_left(enrolled: Wearable) -> None:
    enrolled.inject(recording(60.0), 1_767_225_600_000)
    said = enrolled.statistics()
    assert said.heap_low_water_bytes > 16_384 and said.stack_low_water_bytes > 512


def test_boots_only_rise(enrolled: Wearable) -> None:
    boots = [enrolled.status().boot]
    for _ in range(5):
        enrolled.reset()
        boots.append(enrolled.status().boot)
    assert boots == list(range(boots[0], boots[0] + 6))
