"""The driver, the small gateway and the bridge, with the fake wearable."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from salus_edge.frontend import cut
from salus_edge.link import Label
from salus_edge.proto import console_pb2 as pb
from salus_hil.bench import fleet
from salus_hil.console import Console
from salus_hil.errors import CommandFailed, RigError
from salus_hil.fake import __main__ as fake
from salus_hil.rig.broker import Mosquitto, mosquitto_path
from salus_hil.rig.driver import Wearable
from salus_hil.rig.frames import piece_frames
from salus_hil.rig.gateway import RigGateway
from salus_hil.rig.identity import Identity
from salus_hil.rig.package import TASK, make_release, recording
from salus_hil.virtual.engine import tflm_available
from tests.hil.fakes import fake_program, fake_wearable

START_MS = 1_767_225_600_000
pytestmark = [
    pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed"),
    pytest.mark.skipif(not tflm_available(), reason="no TFLM on this platform"),
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path / "broker")
    made.start()
    yield made
    made.kill()


@pytest.mark.parametrize("bridged", [False, True], ids=["network", "bridge"])
def test_a_life_of_a_wearable(tmp_path: Path, broker: Mosquitto, bridged: bool) -> None:
    """Enrolment, features, a power cut, a release over the air, a reset, and the end."""
    identity = Identity()
    first, second = (make_release(version, identity.chain_id) for version in (1, 2))
    options = ["--bridged"] if bridged else []
    with fake_wearable(tmp_path, *options) as wearable, RigGateway(broker, identity) as gateway:
        factory = wearable.hello()
        wearable.enrol(identity, broker.url)
        wearable.must_take(first.signed(identity))
        if bridged:
            wearable.bridge(broker.local_url)
        _work(wearable, gateway)
        boot = wearable.status().boot
        assert wearable.power_cycle().model_version == 1
        assert wearable.status().boot == boot + 1
        wearable.wait(lambda said: said.link_up, "link after the cut")
        gateway.offer(second.signed(identity))
        gateway.wait(lambda: bool(gateway.statuses) and gateway.statuses[-1].version == 2, "an answer to release 2")
        wearable.wait(lambda said: said.model_version == 2, "release 2")
        assert wearable.reset().base_sha256 == second.sha256
        with pytest.raises(RigError, match="older_version"):
            wearable.must_take(first.signed(identity))
        assert wearable.factory_erase() == factory
    assert len(wearable.samples) > 0
    assert identity.link_secret.hex() not in (tmp_path / "serial.log").read_text()


def _work(wearable: Wearable, gateway: RigGateway) -> None:
    wearable.wait(lambda said: said.link_up, "link")
    reply = wearable.inject_patiently(recording(20.0), START_MS)
    wearable.say(Label("l1", START_MS, START_MS + 1000, "sway", "diary", TASK.name))
    wearable.wait(lambda said: said.ring_packets == 0, "empty ring")
    assert gateway.feature_count == reply.windows > 0 and not gateway.unopened
    assert [label.id for label in gateway.labels] == ["l1"]
    assert wearable.statistics().features == reply.windows
    assert wearable.golden().mismatches == 0


async def test_a_reset_leaves_no_link_to_a_terminal_that_may_become_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, found = tmp_path / "serial", []
    monkeypatch.setattr(os, "execv", lambda *arguments: found.append(link.is_symlink()))
    running = asyncio.create_task(fake._run(tmp_path / "flash", link, TASK, bridged=False))
    async with asyncio.timeout(10.0):
        while not link.is_symlink():
            await asyncio.sleep(0.01)
        async with Console(str(link)) as console:
            await console.reset()
            await running
    assert found == [False]


def test_what_is_refused_carries_its_code_and_what_is_awaited_in_vain_its_name(tmp_path: Path) -> None:
    with fake_wearable(tmp_path) as wearable:
        assert wearable.failure(pb.Frame(version=9, hello=pb.Hello())) == "version"
        with pytest.raises(RigError, match="answered hello_reply"):
            wearable.failure(pb.Frame(version=1, hello=pb.Hello()))
        with pytest.raises(CommandFailed) as refused:
            wearable.inject(recording(1.0), START_MS)
        assert refused.value.code == "not_ready"
        with pytest.raises(RigError, match=r"no moon within 0\.1 s"):
            wearable.wait(lambda said: False, "moon", 0.1)
        wearable.cut()
        with pytest.raises(RigError, match="no power"):
            wearable.hello()


def test_frames_of_a_piece_follow_each_other_and_the_last_ends_it() -> None:
    samples = recording(30.0)
    frames = list(piece_frames(samples, START_MS, first=100))
    assert frames[0].first_sample == 100 and [frame.ends_piece for frame in frames[:-1]] == [False] * (len(frames) - 1)
    assert frames[-1].ends_piece
    ends = [frame.first_sample + len(frame.values) // frame.channels for frame in frames]
    assert [frame.first_sample for frame in frames[1:]] == ends[:-1] and ends[-1] == len(samples)


def test_a_fleets_cost_is_counted_and_every_feature_arrives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "IDLE_S", 0.5)
    cost = fleet.measure(fake_program(tmp_path), wearables=1, minutes=1.0)
    assert cost.features == len(cut(TASK, recording(60.0, 0), 0.0).start_ms)
    assert cost.processor_s_per_hour > 0.0 and cost.wearables_per_core > 0
    assert 0 < cost.private_bytes < cost.resident_bytes
