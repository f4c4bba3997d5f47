"""One tiny model package for the whole session, and gateways over it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from salus_edge.config import Settings, read_settings
from salus_edge.store import Database
from tests.edge.world import write_world

ROOT = Path(__file__).parents[2]
PACKAGES = (".", "chain", "edge", "coordinator", "hil")


@pytest.fixture(scope="session")
def package_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in a process of its own, so that TensorFlow stays out of the tests'."""
    for needed in ("tensorflow", "tflite_micro"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"building a model package needs {needed}: pip install 'salus[build]'")
    folder = tmp_path_factory.mktemp("wave") / "model"
    path = os.pathsep.join([*(str(ROOT / name) for name in PACKAGES), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, "-m", "tests.edge.build_package", str(folder)],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        timeout=100,
    )
    return folder


@pytest.fixture
def settings(tmp_path: Path, package_folder: Path) -> Settings:
    """A gateway with two patients and the arms wave (fedrep) and wave-avg, as gateway.toml says."""
    return read_settings(write_world(tmp_path, package_folder))


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    with Database(settings.store) as opened:
        yield opened
