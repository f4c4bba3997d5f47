"""This checkout's firmware for hosts: built by PlatformIO when a part of it is newer."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Final

from salus_hil.errors import MissingTool

FOLDER: Final = Path(__file__).resolve().parents[2] / "firmware"
BUILD_TIMEOUT_S: Final = 600.0
SAID_LINES: Final = 12  # of a build that failed


def native_program() -> Path:
    """Where the native wearable is, once it is built."""
    return FOLDER / ".pio" / "build" / "native" / "program"


def build(environment: str, log: Path) -> None:
    """Build one environment; what PlatformIO says goes to `log`. Raises MissingTool, which says what is missing."""
    if not (FOLDER / "platformio.ini").exists():
        raise MissingTool(f"{FOLDER}: no firmware here; the native wearable needs a checkout of Salus")
    if importlib.util.find_spec("platformio") is None:
        raise MissingTool("PlatformIO is not installed: pip install 'salus[firmware]'")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        command = [sys.executable, "-m", "platformio", "run", "-d", str(FOLDER), "-e", environment]
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, timeout=BUILD_TIMEOUT_S, check=False)
    if done.returncode:
        said = "\n".join(log.read_text(errors="replace").splitlines()[-SAID_LINES:])
        raise MissingTool(f"the firmware ({environment}) does not build here; {log} ends:\n{said}")
