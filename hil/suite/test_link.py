"""The device link: what a broker sees, and what it may do to the packets."""

from __future__ import annotations

import pytest

from salus_edge.errors import Refused
from salus_edge.link import Sealer, open_packet
from salus_edge.proto.link_pb2 import Ack, Command, Packet, Range, RequestState, State
from salus_hil.rig.broker import Mosquitto
from salus_hil.rig.driver import Wearable
from salus_hil.rig.gateway import RigGateway
from salus_hil.rig.identity import Identity
from salus_hil.rig.package import Release, recording

START_MS = 1_767_225_600_000


def refused(wearable: Wearable) -> dict[str, int]:
    return {each.name: each.count for each in wearable.statistics().refused}


def test_the_broker_sees_sealed_packets_that_open_on_no_other_topic(
    enrolled: Wearable, gateway: RigGateway, identity: Identity, release: Release
) -> None:
    enrolled.inject_patiently(recording(20.0), START_MS)
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring")
    packets = [(name, payload) for name, payload in gateway.raw if payload != b"lost"]
    assert len({(p.boot, p.sequence) for p in (Packet.FromString(payload) for _, payload in packets)}) == len(
        {payload for _, payload in packets}
    )
    for name, payload in packets:
        assert release.sha256 not in payload
        assert open_packet(identity.keys.up, name, payload)
        other = identity.topic("label" if name.endswith("feature") else "feature")
        for key, topic in ((identity.keys.up, other), (identity.keys.down, name)):
            with pytest.raises(Refused):
                open_packet(key, topic, payload)


def test_what_is_not_acknowledged_comes_again_as_the_same_bytes(enrolled: Wearable, gateway: RigGateway) -> None:
    gateway.acking = False
    enrolled.inject_patiently(recording(10.0), START_MS)
    feature = gateway.identity.topic("feature")
    gateway.wait(lambda: gateway.duplicates >= 3, "packets that come again")
    assert enrolled.status().ring_packets > 0
    payloads = [payload for name, payload in gateway.raw if name == feature]
    again = {payload for payload in payloads if payloads.count(payload) > 1}
    assert again
    gateway.acking = True
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring")


def test_a_refused_packet_is_not_sent_again(enrolled: Wearable, gateway: RigGateway) -> None:
    gateway.refusing = "unknown_base"
    enrolled.inject_patiently(recording(10.0), START_MS)
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring")
    assert any("unknown_base" in name for name in refused(enrolled))


def test_a_replayed_command_is_refused(enrolled: Wearable, gateway: RigGateway) -> None:
    payload = gateway.send("command", Command(request_state=RequestState()).SerializeToString())
    for _ in range(3):
        gateway.publish(gateway.identity.topic("command"), payload)
    enrolled.wait_refused(3, "replayed")
    states = len(gateway.states)
    gateway.request_state()
    gateway.wait(lambda: len(gateway.states) > states, "state")
    assert refused(enrolled) == {"replayed": 3}


def test_what_was_heard_before_a_reset_is_refused_after_it(enrolled: Wearable, gateway: RigGateway) -> None:
    payload = gateway.send("command", Command(request_state=RequestState()).SerializeToString())
    gateway.publish(gateway.identity.topic("command"), payload)
    enrolled.wait_refused(1, "replayed")
    enrolled.reset()
    enrolled.wait(lambda said: said.link_up, "link")
    before = refused(enrolled).get("replayed", 0)
    gateway.publish(gateway.identity.topic("command"), payload)
    enrolled.wait_refused(before + 1, "replayed")


def test_what_a_stranger_says_is_refused(enrolled: Wearable, gateway: RigGateway, identity: Identity) -> None:
    """Anyone may publish at the broker: keys decide."""
    name = identity.topic("ack")
    forged = Sealer(bytes(32), 9).seal(
        name, Ack(ranges=[Range(boot=1, first_sequence=1, last_sequence=1 << 62)]).SerializeToString()
    )
    gateway.acking = False
    enrolled.inject_patiently(recording(10.0), START_MS)
    waiting = enrolled.status().ring_packets
    for payload in (forged.payload, forged.payload[:-1], b"", b"\0" * 100, b"\x08\x01", identity.link_secret):
        gateway.publish(name, payload)
    gateway.publish(identity.topic("command"), gateway.raw[0][1])
    enrolled.wait_refused(6)
    assert enrolled.status().ring_packets == waiting > 0
    assert sum(refused(enrolled).values()) >= 6


def test_a_broker_that_forgets_all_it_confirmed_loses_nothing(
    enrolled: Wearable, gateway: RigGateway, broker: Mosquitto
) -> None:
    gateway.acking = False
    enrolled.inject_patiently(recording(30.0), START_MS)
    broker.kill()
    enrolled.wait(lambda said: not said.link_up, "lost link")
    gateway.acking = True
    broker.start()
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring", 40.0)
    starts = [int(start) for batch in gateway.features for start in batch.start_ms]
    assert len(set(starts)) == len(starts) == enrolled.statistics().features


def test_the_last_will_says_lost_and_the_next_state_online(enrolled: Wearable, gateway: RigGateway) -> None:
    gateway.wait(lambda: bool(gateway.states), "first state")
    assert gateway.states[-1].link == State.ONLINE
    seen, lost = len(gateway.states), gateway.lost
    enrolled.reset()

    def gone() -> bool:
        return gateway.lost > lost or any(state.link == State.LEAVING for state in gateway.states[seen:])

    gateway.wait(gone, "goodbye")
    gateway.wait(lambda: len(gateway.states) > seen and gateway.states[-1].link == State.ONLINE, "online again")


@pytest.mark.needs("power")
def test_a_power_cut_is_said_by_the_will(enrolled: Wearable, gateway: RigGateway) -> None:
    gateway.wait(lambda: bool(gateway.states), "first state")
    lost = gateway.lost
    enrolled.cut()
    gateway.wait(lambda: gateway.lost > lost, "last will", 60.0)
    enrolled.start()
    enrolled.wait(lambda said: said.link_up, "link")


def test_a_dropped_link_keeps_everything_for_later(enrolled: Wearable, gateway: RigGateway) -> None:
    enrolled.link(False)
    enrolled.wait(lambda said: not said.link_up, "dropped link")
    reply = enrolled.inject(recording(30.0), START_MS)
    assert reply.ring_packets > 5
    assert gateway.feature_count == 0
    enrolled.link(True)
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring")
    assert gateway.feature_count == enrolled.statistics().features == reply.windows
