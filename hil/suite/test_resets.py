"""Reset storms: starts upon starts, in the middle of whatever it does."""

from __future__ import annotations

import time

import numpy as np
import pytest

from salus_hil.rig.driver import Wearable
from salus_hil.rig.gateway import RigGateway
from salus_hil.rig.package import recording

START_MS = 1_767_225_600_000
HOUR_MS = 3_600_000


def test_a_storm_of_resets_loses_no_packet(enrolled: Wearable, gateway: RigGateway) -> None:
    made, storms = 0, 15 if "fast" in enrolled.rig.has else 6
    for number in range(storms):
        made += enrolled.inject(recording(10.0, number), START_MS + number * HOUR_MS).windows
        enrolled.reset()
    enrolled.wait(lambda said: said.link_up, "link")
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring", 60.0)
    starts = [int(start) for batch in gateway.features for start in batch.start_ms]
    assert len(set(starts)) == len(starts) == made
    assert not gateway.unopened
    boots = [boot for (boot, _), kind in gateway.seen.items() if kind == "feature"]
    assert boots == sorted(boots)


@pytest.mark.needs("power", "fast")
def test_power_cuts_at_random_moments_leave_a_wearable_that_works(enrolled: Wearable, gateway: RigGateway) -> None:
    """The link is up, packets are sealed, sent and acknowledged, and then the power goes."""
    rng = np.random.default_rng(23)
    for number in range(20):
        enrolled.inject(recording(20.0, number), START_MS + number * HOUR_MS)
        time.sleep(float(rng.uniform(0.0, 0.05)))
        enrolled.power_cycle()
        assert enrolled.hello().model_version == 1
    enrolled.wait(lambda said: said.link_up, "link")
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring", 60.0)
    keys = list(gateway.seen)
    assert len(set(keys)) == len(keys)
    assert not gateway.unopened
    starts = {int(start) for batch in gateway.features for start in batch.start_ms}
    assert len(starts) == gateway.feature_count == enrolled.statistics().features
    assert enrolled.golden().mismatches == 0
