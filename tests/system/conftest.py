"""One small run of the whole demo, shared by the tests that look at what it left."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from salus.report.facts import Facts
from salus_hil.virtual.engine import tflm_available


@dataclass(frozen=True)
class SmallRun:
    """What a demo of 2 patients, 2 gateways, 4 validators and 2 rounds left."""

    folder: Path
    facts: Facts
    output: str


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    if not tflm_available():
        pytest.skip("no tflite-micro wheel for this platform: only x86-64 Linux has one")
    folder = tmp_path_factory.mktemp("demo") / "salus-demo"
    options = ["--patients", "2", "--gateways", "2", "--validators", "4", "--rounds", "2", "--quick"]
    options += ["--patience", "3"]  # other tests keep the machine busy meanwhile
    done = subprocess.run(
        [sys.executable, "-m", "salus", "demo", "--dir", str(folder), *options],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    logs = "\n".join(f"== {log.name}\n{log.read_text()[-1500:]}" for log in sorted(folder.glob("logs/*.log")))
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{logs}"
    facts = msgspec.json.decode((folder / "report.json").read_bytes(), type=Facts)
    return SmallRun(folder, facts, done.stdout)


@pytest.fixture(scope="session")
def settled(small_run: SmallRun) -> tuple[Path, Path]:
    """(proof, genesis) of a settlement."""
    return small_run.folder / small_run.facts.rounds[0].proof, small_run.folder / "genesis.toml"
