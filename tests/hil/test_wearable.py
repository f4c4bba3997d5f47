"""A virtual wearable against a real broker and a small gateway."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salus_coordinator.data.npz import save
from salus_edge.proto.link_pb2 import Calibrate, Command, ReleaseStatus, State
from salus_hil.virtual.engine import FakeEngine
from salus_hil.virtual.run import run_all
from salus_hil.virtual.wearable import VirtualWearable
from tests.hil.rig import (
    CONSENT,
    START_MS,
    Gateway,
    Mosquitto,
    config,
    dataset,
    fake_release,
    signed_transfer,
    write_config,
)

pytestmark = pytest.mark.skipif(Mosquitto.path() is None, reason="mosquitto is not installed")

TWO_PHASES: list[dict[str, Any]] = [
    {"parts": ["setup", "diary"], "wait_for_calibration": True},
    {"parts": ["reference"], "after_version": 2},
]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.stop()


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[Gateway]:
    task = asyncio.create_task(gateway.run())
    try:
        async with asyncio.timeout(10):
            await gateway.connection.connected.wait()
        yield gateway
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def replay(phases: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": "sway", "subject": "p0", "start_ms": START_MS, "phases": phases}


def report(folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((folder / "state-w-p0" / "report.json").read_text())
    return loaded


async def test_a_day_calibration_release_and_a_second_phase(tmp_path: Path, broker: Mosquitto) -> None:
    made = config(tmp_path, broker.port, replay=replay(TWO_PHASES))
    async with running(Gateway(broker.port, calibrate_until_ms=START_MS + 30_000)) as gateway:
        wearable = VirtualWearable(made, dataset(), FakeEngine)
        run = asyncio.create_task(wearable.run())
        while not (made.state / "progress.json").exists():
            assert not run.done(), run.exception()
            await asyncio.sleep(0.05)
        assert {batch.model_version for batch in gateway.features} == {1}
        await gateway.offer(signed_transfer(*fake_release(2)))
        async with asyncio.timeout(30):
            await run
        facts = report(tmp_path)
        features = sum(len(batch.start_ms) for batch in gateway.features)
        assert facts["features"] == features > 100
        assert facts["windows"] == sum(len(batch.start_ms) for batch in gateway.windows) > 10
        assert all(batch.consent == CONSENT for batch in gateway.windows)
        assert max(int(batch.start_ms[-1]) + batch.duration_ms for batch in gateway.windows) <= START_MS + 30_000
        assert {batch.model_version for batch in gateway.features} == {1, 2}
        assert facts["model_versions"] == [1, 2]
        assert gateway.statuses[-1].progress == ReleaseStatus.ACTIVE
        assert [each.next_offset for each in gateway.statuses[:-1]] == [0, 4096, 8192]
        assert {label.source for label in gateway.labels} == {"setup", "diary", "reference"}
        assert gateway.states[0].link == State.ONLINE and gateway.states[-1].link == State.LEAVING
        assert gateway.lost == 0
        sent = sum(len(payload) for name, payload in dict.fromkeys(gateway.raw))
        assert sum(facts["sent_bytes"].values()) == sent
        starts = np.concatenate([batch.start_ms for batch in gateway.features])
        assert len(np.unique(starts)) == len(starts)


async def test_a_broker_that_dies_between_puback_and_delivery_loses_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    """No gateway session is there, so all that the broker confirmed is gone with it."""
    made = config(tmp_path, broker.port, replay=replay([{"parts": ["setup"]}]))
    wearable = VirtualWearable(made, dataset(), FakeEngine)
    run = asyncio.create_task(wearable.run())
    async with asyncio.timeout(10):
        while len(wearable.device.ring) < 5:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    broker.stop()
    broker.start()
    async with running(Gateway(broker.port)) as gateway:
        async with asyncio.timeout(40):
            await run
        assert sum(len(batch.start_ms) for batch in gateway.features) == report(tmp_path)["features"] == 48
        assert report(tmp_path)["drops"] == 0
        assert int(report(tmp_path)["resent_packets"]) >= 5


async def test_without_acks_nothing_leaves_the_ring_and_a_restart_sends_the_same_bytes(
    tmp_path: Path, broker: Mosquitto
) -> None:
    made = config(tmp_path, broker.port, replay=replay([{"parts": ["setup"]}]))
    async with running(Gateway(broker.port, acking=False)) as gateway:
        run = asyncio.create_task(VirtualWearable(made, dataset(), FakeEngine).run())
        async with asyncio.timeout(20):
            while len({payload for name, payload in gateway.raw if name.endswith("feature")}) < 6:
                await asyncio.sleep(0.02)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        before = {payload for name, payload in gateway.raw if not name.endswith("state")}
        gateway.acking = True
        async with asyncio.timeout(20):
            await VirtualWearable(made, dataset(), FakeEngine).run()
        after = {payload for name, payload in gateway.raw if not name.endswith("state")}
        assert before == after
        assert sum(len(batch.start_ms) for batch in gateway.features) == 48


@pytest.mark.parametrize("measured", [1, 3])
async def test_a_power_cut_in_a_piece_neither_loses_nor_repeats_a_window(
    measured: int, tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = config(tmp_path, broker.port, replay=replay([{"parts": ["setup"]}]))
    wearable = VirtualWearable(made, dataset(), FakeEngine)
    real, calls = wearable.device.measure, 0

    def measure(*arguments: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > measured:
            raise KeyError("power cut")
        real(*arguments)

    monkeypatch.setattr(wearable.device, "measure", measure)
    async with running(Gateway(broker.port)) as gateway:
        with pytest.raises(ExceptionGroup):
            await wearable.run()
        async with asyncio.timeout(20):
            await VirtualWearable(made, dataset(), FakeEngine).run()
        starts = np.concatenate([batch.start_ms for batch in gateway.features])
        assert len(np.unique(starts)) == len(starts) == 48


async def test_a_killed_wearable_is_called_lost(tmp_path: Path, broker: Mosquitto) -> None:
    path = write_config(tmp_path, broker.port, replay=replay([{"parts": ["setup"], "after_version": 9}]))
    save(dataset(), tmp_path / "sway" / "sway.npz")
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from salus_hil.virtual.run import run_all; from salus_hil.virtual.config import read_wearable\n"
        "from salus_hil.virtual.engine import FakeEngine\n"
        "asyncio.run(run_all([read_wearable(Path(sys.argv[1]))], FakeEngine))"
    )
    async with running(Gateway(broker.port)) as gateway:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(path), env={**os.environ, "SALUS_DATA": str(tmp_path)}
        )
        async with asyncio.timeout(30):
            while not gateway.states:
                await asyncio.sleep(0.05)
            child.kill()
            while not gateway.lost:
                await asyncio.sleep(0.05)
        await child.wait()


async def test_a_replayed_command_is_refused_also_after_a_restart(tmp_path: Path, broker: Mosquitto) -> None:
    phases: list[dict[str, Any]] = [{"parts": ["setup"], "wait_for_calibration": True}]
    made = config(tmp_path, broker.port, replay=replay(phases))
    async with running(Gateway(broker.port)) as gateway:
        name = "salus/1/test/w-p0/command"
        async with asyncio.timeout(20):
            run = asyncio.create_task(VirtualWearable(made, dataset(), FakeEngine).run())
            while not gateway.states:
                await asyncio.sleep(0.02)
            base = gateway.states[-1].base_sha256
            order = Calibrate(until_ms=START_MS + 1, consent=CONSENT, base_sha256=base)
            recorded = gateway.sealer.seal(name, Command(calibrate=order).SerializeToString()).payload
            for _ in range(2):
                await gateway.connection.publish(name, recorded)
            await run
        assert report(tmp_path)["refused"] == {"replayed": 1}
        again = VirtualWearable(made, dataset(), FakeEngine)
        again._listener.hear(name, recorded)
        assert again.device.flash.counter("refused replayed") == 2


async def test_calibrating_for_another_base_sends_nothing(tmp_path: Path, broker: Mosquitto) -> None:
    made = config(tmp_path, broker.port, replay=replay([{"parts": ["setup"]}]))
    async with running(Gateway(broker.port)) as gateway:
        name = "salus/1/test/w-p0/command"
        late = Calibrate(until_ms=1 << 60, consent=CONSENT, base_sha256=bytes(32))
        wearable = VirtualWearable(made, dataset(), FakeEngine)
        wearable._listener.hear(name, gateway.sealer.seal(name, Command(calibrate=late).SerializeToString()).payload)
        async with asyncio.timeout(20):
            await wearable.run()
    assert report(tmp_path)["refused"] == {"other_base": 1}
    assert report(tmp_path)["windows"] == 0
    assert not gateway.windows
    assert gateway.features


async def test_two_wearables_share_a_process(tmp_path: Path, broker: Mosquitto) -> None:
    phases: list[dict[str, Any]] = [{"parts": ["setup"]}]
    save(dataset(), tmp_path / "data" / "sway" / "sway.npz")
    made = [
        config(tmp_path, broker.port, f"w-p{n}", replay={**replay(phases), "subject": f"p{n}", "root": "data"})
        for n in (0, 1)
    ]
    async with running(Gateway(broker.port)) as first, running(Gateway(broker.port, "w-p1")) as second:
        async with asyncio.timeout(30):
            await run_all(made, FakeEngine)
        for gateway in (first, second):
            assert sum(len(batch.start_ms) for batch in gateway.features) == 48
