"""A later day of the demo's patient, whose gateway now wants alarms: her own release, and her wearable's alarms."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from salus_hil.rig.broker import Mosquitto, mosquitto_path
from tests.system.conftest import SmallRun

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

PATIENCE_S = 60.0
ALARM = '\n[alarm]\nclasses = ["PEN", "ABD", "FEL"]\nthreshold = 0.5\nrefractory_s = 5\n'
LATER = '\n[[replay.phases]]\nparts = ["setup", "diary", "reference"]\nwait_for_personal = true\n'


@pytest.fixture
def folder(small_run: SmallRun, tmp_path: Path) -> Path:
    """The demo's folder as it was left, with a broker of its own to come."""
    if small_run.facts.wearables != "native" or mosquitto_path() is None:
        pytest.skip("the firmware was not built, or mosquitto is not installed")
    copied = tmp_path / "later"
    shutil.copytree(small_run.folder, copied, ignore=shutil.ignore_patterns("validator-*", "broker", "logs"))
    return copied


@pytest.fixture
def broker(folder: Path, small_run: SmallRun) -> Iterator[Mosquitto]:
    made = Mosquitto(folder / "broker")
    made.start()
    for name in ("gateway-0", wearable(folder)):
        path = folder / f"{name}.toml"
        path.write_text(path.read_text().replace(small_run.facts.broker, made.url))
    yield made
    made.kill()


def wearable(folder: Path) -> str:
    """The device of gateway-0's only patient."""
    return next(
        path.stem for path in sorted(folder.glob("wearable-*.toml")) if "keys/gateway-0.pub" in path.read_text()
    )


def told(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_a_patients_own_release_reaches_her_wearable_which_raises_alarms(folder: Path, broker: Mosquitto) -> None:
    for name, more in (("gateway-0", ALARM), (wearable(folder), LATER)):
        with (folder / f"{name}.toml").open("a") as file:
            file.write(more)
    log = folder / "gateway.log"
    with log.open("wb") as out:
        gateway = subprocess.Popen(
            [sys.executable, "-m", "salus", "gateway", "run", str(folder / "gateway-0.toml")], stderr=out
        )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not any(each["event"] == "personal_release" for each in told(log)):
            assert gateway.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        command = [sys.executable, "-m", "salus", "wearable", "replay", str(folder / f"{wearable(folder)}.toml")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, done.stderr
    finally:
        gateway.terminate()
        gateway.wait(PATIENCE_S)
    kinds = [each["kind"] for each in told(log) if each["event"] == "event"]
    assert kinds and set(kinds) == {"ALARM"}
    assert not [each for each in told(log) if each["event"] == "release_refused"]
    progress = json.loads((folder / "wearables" / wearable(folder) / "progress.json").read_text())
    assert (progress["phases_done"], progress["model_version"]) == (3, 2)
    assert progress["personal_version"] > 0
