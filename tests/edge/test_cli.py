"""`salus gateway`: what it imports, what it says, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from salus_edge.cli import app
from salus_edge.config import Settings
from tests.edge.world import write_world


def run_python(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


LIBRARIES = (
    "numpy, asyncio, sqlite3, structlog, cbor2, msgspec, httpx, aiomqtt, cryptography.x509, google.protobuf.message"
)


def test_a_gateway_takes_little_longer_to_import_than_its_libraries_and_never_tensorflow() -> None:
    """Processor time, best of three; a ratio, since machines differ more than the code does."""
    ours, libraries = (min(import_s(what) for _ in range(3)) for what in ("salus_edge.gateway", LIBRARIES))
    assert ours < 2.5 * libraries
    run_python(
        "import sys, salus_edge.gateway, salus_edge.evaluate, salus_edge.recompute; "
        "heavy = [name for name in sys.modules if name.split('.')[0] in ('tensorflow', 'keras', 'salus_coordinator')]; "
        "assert not heavy, heavy"
    )


def import_s(modules: str) -> float:
    return float(run_python(f"import time; t = time.process_time(); import {modules}; print(time.process_time() - t)"))


def test_the_command_line_imports_typer_alone() -> None:
    script = (
        "import sys, salus_edge.cli; "
        "print(*[name for name in ('numpy', 'structlog', 'httpx', 'sqlite3', 'aiomqtt') if name in sys.modules])"
    )
    assert run_python(script).strip() == ""


def test_check_says_what_a_configuration_names(settings: Settings) -> None:
    done = CliRunner().invoke(app, ["check", str(settings.path)])
    assert done.exit_code == 0, done.output
    for word in ("gateway gateway-0", "1 validators", "task wave", "patient anna", "arm wave-60: labels setup, diary"):
        assert word in done.output


@pytest.mark.parametrize("command", ["run", "check", "evaluate"])
def test_an_unknown_key_ends_with_exit_code_2_and_its_name(command: str, tmp_path: Path, package_folder: Path) -> None:
    path = write_world(tmp_path, package_folder, changes={"colour": "blue"})
    done = CliRunner().invoke(app, [command, str(path)])
    assert done.exit_code == 2
    assert "colour" in done.output
    assert not (tmp_path / "gateway.sqlite").exists()


def test_a_gateway_that_runs_already_is_named(settings: Settings) -> None:
    command = [sys.executable, "-m", "salus_edge", "run", str(settings.path)]
    first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert first.stderr is not None
        deadline = time.monotonic() + 20
        while "running" not in first.stderr.readline():
            assert time.monotonic() < deadline
        second = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    finally:
        first.terminate()
        first.wait(10)
    assert second.returncode == 2
    assert "another process" in second.stderr
    assert first.returncode == 0


def test_logs_are_json_lines_on_standard_error() -> None:
    script = (
        "import structlog; from salus_edge import logs; logs.configure(); "
        "structlog.get_logger().info('stored', packets=3); structlog.get_logger().debug('unsaid')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    said = json.loads(line)
    assert (said["event"], said["packets"], said["level"]) == ("stored", 3, "info")
