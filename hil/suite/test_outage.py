"""A day without a link, in accelerated time: nothing is lost up to the ring's bound, then the oldest go, counted."""

from __future__ import annotations

import numpy as np
import pytest

from salus_hil.rig.broker import Mosquitto
from salus_hil.rig.driver import Wearable
from salus_hil.rig.enrolment import Settings
from salus_hil.rig.gateway import RigGateway
from salus_hil.rig.identity import Identity
from salus_hil.rig.package import Release, recording

START_MS = 1_767_225_600_000
HOUR_MS = 3_600_000
LAST_S = 120.0  # for everything kept to arrive


def prepared(
    wearable: Wearable, broker: Mosquitto, identity: Identity, release: Release, settings: Settings
) -> Wearable:
    wearable.enrol(identity, broker.url, settings)
    wearable.must_take(release.signed(identity))
    if "bridge" in wearable.rig.has:
        wearable.bridge(broker.local_url)
    wearable.wait(lambda said: said.link_up, "link")
    wearable.wait(lambda said: said.ring_packets == 0, "empty ring")
    wearable.link(False)
    wearable.wait(lambda said: not said.link_up, "dropped link")
    return wearable


def test_a_day_without_a_link_loses_nothing(
    wearable: Wearable, broker: Mosquitto, gateway: RigGateway, identity: Identity, release: Release
) -> None:
    prepared(wearable, broker, identity, release, Settings(ring_packets=2048, features_per_packet=16))
    minutes = 10.0 if "fast" in wearable.rig.has else 0.5
    for hour in range(24):
        samples = recording(60.0 * minutes, hour)
        reply = wearable.inject(samples, START_MS + hour * HOUR_MS)
    status = wearable.status()
    assert status.ring_packets > 24 and status.dropped_packets == 0
    assert status.clock_ms >= START_MS + 23 * HOUR_MS
    wearable.link(True)
    wearable.wait(lambda said: said.ring_packets == 0, "empty ring", LAST_S)
    starts = np.sort(np.concatenate([batch.start_ms for batch in gateway.features]))
    assert len(np.unique(starts)) == len(starts) == reply.windows
    assert (starts[-1] - starts[0]) / HOUR_MS > 23
    assert wearable.statistics().dropped_packets == 0


def test_beyond_the_bound_the_oldest_go_and_are_counted(
    wearable: Wearable, broker: Mosquitto, gateway: RigGateway, identity: Identity, release: Release
) -> None:
    bound = 32
    prepared(wearable, broker, identity, release, Settings(ring_packets=bound, features_per_packet=2))
    reply = wearable.inject(recording(120.0), START_MS)
    assert reply.ring_packets <= bound == reply.ring_capacity_packets
    packets = -(-reply.windows // 2)
    dropped = wearable.status().dropped_packets
    assert dropped >= packets - bound > 0
    wearable.link(True)
    wearable.wait(lambda said: said.ring_packets == 0, "empty ring", LAST_S)
    starts = np.sort(np.concatenate([batch.start_ms for batch in gateway.features]))
    hop_ms = starts[1] - starts[0]
    kept = len(starts)
    assert starts[-1] == START_MS + (reply.windows - 1) * hop_ms, "the youngest are kept"
    assert starts[0] == START_MS + (reply.windows - kept) * hop_ms, "without a hole"
    gateway.request_state()
    gateway.wait(lambda: bool(gateway.states) and gateway.states[-1].dropped_packets == dropped, "the count in State")


@pytest.mark.needs("power")
def test_power_cuts_in_an_outage_lose_nothing_that_was_sealed(
    wearable: Wearable, broker: Mosquitto, gateway: RigGateway, identity: Identity, release: Release
) -> None:
    prepared(wearable, broker, identity, release, Settings(ring_packets=512, features_per_packet=4))
    broker.kill()
    made = 0
    for part in range(6):
        reply = wearable.inject(recording(20.0, part), START_MS + part * HOUR_MS)
        made += reply.windows
        before = reply.ring_packets
        wearable.power_cycle()
        assert wearable.status().ring_packets >= before
    broker.start()
    wearable.wait(lambda said: said.ring_packets == 0, "empty ring", LAST_S)
    starts = [int(start) for batch in gateway.features for start in batch.start_ms]
    assert len(set(starts)) == len(starts) == made
