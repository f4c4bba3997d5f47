"""`salus wearable replay`, with the fake in the program's place: the same files as a virtual wearable's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salus_coordinator.data.npz import save
from salus_edge.proto.link_pb2 import State
from salus_hil.errors import ConfigError
from salus_hil.replay.program import VARIABLE, find_program
from salus_hil.replay.run import replay_all
from salus_hil.rig.package import make_release
from salus_hil.virtual.engine import tflm_available
from tests.hil.fakes import fake_program
from tests.hil.rig import CHAIN_ID, START_MS, TASK, Gateway, Mosquitto, config, dataset, signed_transfer, write_package

PHASES: list[dict[str, Any]] = [
    {"parts": ["setup", "diary"], "wait_for_calibration": True},
    {"parts": ["reference"], "after_version": 2},
]
REPLAY = {"data": "sway", "subject": "p0", "root": ".", "start_ms": START_MS, "phases": PHASES}


@pytest.mark.skipif(Mosquitto.path() is None, reason="mosquitto is not installed")
@pytest.mark.skipif(not tflm_available(), reason="no TFLM on this platform")
async def test_two_days_with_a_kill_and_a_release_between(tmp_path: Path) -> None:
    first, second = make_release(1, b"", TASK), make_release(2, CHAIN_ID, TASK)
    write_package(tmp_path / "model", first.manifest, first.model)
    save(dataset(), tmp_path / "sway" / "sway.npz")
    broker = Mosquitto(tmp_path)
    broker.start()
    made = config(tmp_path, broker.port, replay=REPLAY)
    program = fake_program(tmp_path, TASK)
    gateway = Gateway(broker.port, calibrate_until_ms=START_MS + 30_000)
    hearing = asyncio.create_task(gateway.run())
    try:
        async with asyncio.timeout(90):
            await gateway.connection.connected.wait()
            run = asyncio.create_task(replay_all([made], program))
            while not (made.state / "progress.json").exists():
                assert not run.done(), run.exception()
                await asyncio.sleep(0.05)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            run = asyncio.create_task(replay_all([made], program))
            await gateway.offer(signed_transfer(second.manifest, second.model))
            await run
    finally:
        hearing.cancel()
        broker.stop()
    facts = json.loads((made.state / "report.json").read_text())
    progress = json.loads((made.state / "progress.json").read_text())
    starts = np.concatenate([batch.start_ms for batch in gateway.features])
    assert len(np.unique(starts)) == len(starts) == facts["features"] > 200
    assert facts["windows"] == sum(len(batch.start_ms) for batch in gateway.windows) > 10
    assert facts["model_versions"] == [1, 2] and facts["drops"] == 0
    assert progress["phases_done"] == progress["phases"] == 2 and progress["model_version"] == 2
    assert {label.source for label in gateway.labels} == {"setup", "diary", "reference"}
    assert gateway.states[0].link == State.ONLINE and gateway.states[0].base_sha256 == first.sha256
    virtual = {
        "device", "sent_bytes", "packets", "features", "windows", "raw_window_bytes", "arena_bytes", "model_versions",
        "refused", "drops", "resent_packets",
    }  # fmt: skip
    assert set(facts) == virtual


def test_a_program_is_found_by_name_or_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_program(tmp_path)
    assert find_program(program) == program.resolve()
    monkeypatch.setenv(VARIABLE, str(program))
    assert find_program() == program.resolve()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="scripts/firmware build"):
        find_program()
