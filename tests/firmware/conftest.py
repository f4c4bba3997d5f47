"""What the firmware's tests need: a C++ compiler and TFLM; without them they are skipped."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.firmware import engine


@pytest.fixture(scope="session")
def library() -> Path:
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler")
    pytest.importorskip("tflite_micro", reason="tflite-micro has a wheel for x86-64 Linux only")
    return engine.build()
