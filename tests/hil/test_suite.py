"""The rig's suite on the firmware as last built: the host program in every run, the emulated one in the slow."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from salus_hil.rig.broker import mosquitto_path
from salus_hil.rig.rigfile import read_rig
from salus_hil.virtual.engine import tflm_available

RIGS = Path(__file__).parents[2] / "hil" / "rigs"


@pytest.mark.system
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["native", pytest.param("qemu_m4", marks=pytest.mark.slow)])
def test_the_firmware_passes_the_suite(name: str, tmp_path: Path) -> None:
    rig = RIGS / f"{name}.yaml"
    programs = [each.program for each in read_rig(rig).wearables if each.program is not None]
    if not all(program.is_file() for program in programs):
        pytest.skip("the firmware is not built: scripts/firmware build")
    if mosquitto_path() is None or not tflm_available():
        pytest.skip("mosquitto or TFLM is missing")
    if name == "qemu_m4" and shutil.which("qemu-system-arm") is None:
        pytest.skip("qemu-system-arm is not installed")
    command = [sys.executable, "-m", "salus", "hil", "run", str(rig), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "--salus-report", str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
