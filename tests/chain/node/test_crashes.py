"""`kill -9`, power cut, full and failing disk at every single operation of a validator's life."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("the failing disk needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("shim") / "faults.so"
    source = Path(__file__).with_name("faults.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


def crash(shim: Path, *arguments: object) -> str:
    """What the run says; see `crashes`."""
    command = [sys.executable, "-m", "tests.chain.node.crashes", str(shim), *map(str, arguments)]
    environment = {**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def cases(said: str) -> int:
    """How many ran. Fails with the first that went wrong."""
    lines = said.splitlines()
    wrong = [line for line in lines if line.startswith("FAILED")]
    assert not wrong, f"{len(wrong)} of {lines[-1]}, the first: {wrong[0]}"
    return int(lines[-1].split()[-2])


@pytest.mark.parametrize("mode", ["die", "half"])
def test_a_validator_killed_at_any_operation_votes_once_and_keeps_what_is_final(shim: Path, mode: str) -> None:
    assert cases(crash(shim, mode, 1 if mode == "die" else 2, 4)) > 400


def test_a_disk_that_is_full_from_any_write_on_stops_a_validator_in_words(shim: Path) -> None:
    assert cases(crash(shim, "full", 1, 4)) > 400


def test_a_sync_that_fails_once_stops_a_validator_before_it_says_anything(shim: Path) -> None:
    assert cases(crash(shim, "sync", 1, 4)) > 200


@pytest.mark.parametrize(
    ("forgotten", "found"),
    [("vote", "is lost"), ("folder", "votes.log"), ("database", "ends at height"), ("file", "chain.sqlite")],
)
def test_a_forgotten_sync_is_found(shim: Path, forgotten: str, found: str) -> None:
    said = crash(shim, "die", 5, 4, forgotten)
    assert any(line.startswith("FAILED") and found in line for line in said.splitlines()), said


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("mode", ["die", "half", "full", "sync"])
def test_a_longer_life_too(shim: Path, mode: str) -> None:
    assert cases(crash(shim, mode, 1, 12)) > 400
