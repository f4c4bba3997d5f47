"""One model package per test session, built in a subprocess; what needs it is skipped where it cannot be built."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from salus_edge.config import Settings, read_settings
from salus_edge.package import ModelPackage, read_package
from salus_edge.training.program import TrainingProgram
from tests.edge.house import write_house

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def package_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small task's package; workers of one run share it."""
    if importlib.util.find_spec("tensorflow") is None or importlib.util.find_spec("tflite_micro") is None:
        pytest.skip("building a model package needs tensorflow and tflite-micro (`pip install 'salus[build]'`)")
    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder = shared / "edge-package"
    with (shared / "edge-package.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            command = [sys.executable, "-m", "tests.edge.build_package", str(folder)]
            done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="session")
def package(package_folder: Path) -> ModelPackage:
    return read_package(package_folder)


@pytest.fixture
def program(package: ModelPackage) -> TrainingProgram:
    """A training program of its own, loaded with the package's model."""
    made = TrainingProgram(package.program, package.layout, package.task.batch)
    made.load(package.model)
    return made


@pytest.fixture
def settings(package_folder: Path, tmp_path: Path) -> Settings:
    """A gateway with two patients and the main task's arm."""
    return read_settings(write_house(tmp_path, package_folder))
