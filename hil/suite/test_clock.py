"""Clock jumps: times follow the clock, and nothing else breaks."""

from __future__ import annotations

import pytest

from salus_hil.rig.driver import Wearable
from salus_hil.rig.gateway import RigGateway
from salus_hil.rig.package import recording

START_MS = 1_767_225_600_000
DAY_MS = 86_400_000


@pytest.mark.parametrize("jump_ms", [DAY_MS, -DAY_MS, 365 * DAY_MS, -START_MS + 1], ids=["day", "back", "year", "1970"])
def test_a_clock_that_jumps_stops_nothing(enrolled: Wearable, gateway: RigGateway, jump_ms: int) -> None:
    enrolled.set_clock(START_MS)
    enrolled.inject_patiently(recording(10.0), START_MS)
    enrolled.set_clock(START_MS + jump_ms)
    assert abs(enrolled.status().clock_ms - (START_MS + jump_ms)) < 60_000
    reply = enrolled.inject_patiently(recording(10.0, 2), START_MS + jump_ms)
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring")
    starts = {int(start) for batch in gateway.features for start in batch.start_ms}
    assert {START_MS, START_MS + jump_ms} <= starts
    assert len(starts) == reply.windows == gateway.feature_count
    assert enrolled.golden().mismatches == 0


def test_the_clock_outlives_a_reset_or_is_said_to_be_unknown(enrolled: Wearable) -> None:
    enrolled.set_clock(START_MS)
    enrolled.reset()
    clock_ms = enrolled.status().clock_ms
    assert clock_ms == 0 or abs(clock_ms - START_MS) < 60_000
