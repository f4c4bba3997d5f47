"""A virtual wearable against a real broker and a small gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import asynccontextmanager
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from salus_edge.proto.link_pb2 import ReleaseStatus, State
from salus_hil.virtual.engine import FakeEngine
from salus_hil.virtual.wearable import VirtualWearable

from tests.hil.rig import CONSENT, START_MS, Gateway, Mosquitto, config, dataset, fake_release, signed_transfer

pytestmark = pytest.mark.skipif(Mosquitto.path() is None, reason="mosquitto is not installed")

TWO_PHASES = [
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


def replay(phases: list[dict[str, object]]) -> dict[str, object]:
    return {"data": "sway", "subject": "p0", "start_ms": START_MS, "phases": phases}


def report(folder: Path) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((folder / "state-w-p0" / "report.json").read_text())
    return loaded


async def test_a_day_calibration_release_and_a_second_phase(tmp_path: Path, broker: Mosquitto) -> None:
    made = config(tmp_path, broker.port, replay=replay(TWO_PHASES))  # type: ignore[arg-type]
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
        assert sum(facts["sent_bytes"].values()) == sent  # type: ignore[attr-defined]
        starts = np.concatenate([batch.start_ms for batch in gateway.features])
        assert len(np.unique(starts)) == len(starts)
