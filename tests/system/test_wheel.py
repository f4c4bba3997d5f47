"""The built wheel in a bare environment: the command, a gateway's import, a proof's check."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.system.conftest import SmallRun

REPOSITORY = Path(__file__).parents[2]

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]


def run(*command: str | Path, cwd: Path, code: int = 0) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=280)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that has the wheel and its own dependencies, nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "-w",
        folder / "dist",
        REPOSITORY,
        cwd=folder,
    )
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    (wheel,) = (folder / "dist").glob("salus-*.whl")
    run(folder / "venv/bin/python", "-m", "pip", "install", "--quiet", wheel, cwd=folder)
    return folder / "venv/bin"


def test_the_command_shows_its_parts(installed: Path, tmp_path: Path) -> None:
    shown = run(installed / "salus", "--help", cwd=tmp_path)
    for part in ("demo", "gateway", "coordinator", "chain", "wearable", "model", "data"):
        assert part in shown


def test_a_gateway_and_a_validator_start_to_work_without_tensorflow(installed: Path, tmp_path: Path) -> None:
    modules = "import importlib.util as u, salus_edge.gateway, salus_chain.node.process"
    script = f"{modules}; assert not u.find_spec('tensorflow')"
    run(installed / "python", "-c", script, cwd=tmp_path)


def test_a_gateway_runs_until_it_is_asked_to_end(installed: Path, tmp_path: Path, small_run: SmallRun) -> None:
    folder = tmp_path / "hospital"
    shutil.copytree(
        small_run.folder, folder, ignore=shutil.ignore_patterns("validator-*", "wearables", "broker", "logs")
    )
    log = tmp_path / "gateway.log"
    with log.open("wb") as out:
        gateway = subprocess.Popen([installed / "salus", "gateway", "run", folder / "gateway-0.toml"], stderr=out)
    deadline = time.monotonic() + 30
    while b'"event": "running"' not in log.read_bytes() and time.monotonic() < deadline and gateway.poll() is None:
        time.sleep(0.05)
    gateway.send_signal(signal.SIGTERM)
    assert gateway.wait(20) == 0, log.read_text()
    assert b'"event": "running"' in log.read_bytes(), log.read_text()


def test_a_proof_is_checked(installed: Path, tmp_path: Path, settled: tuple[Path, Path]) -> None:
    proof, genesis = settled
    assert run(installed / "salus", "chain", "verify", proof, "--genesis", genesis, cwd=tmp_path)
    broken = tmp_path / "broken.cbor"
    broken.write_bytes(proof.read_bytes()[:-1] + bytes([proof.read_bytes()[-1] ^ 1]))
    run(installed / "salus", "chain", "verify", broken, "--genesis", genesis, cwd=tmp_path, code=1)
