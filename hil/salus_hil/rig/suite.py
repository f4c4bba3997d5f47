"""The suite as a process of pytest."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import salus_hil
from salus_hil.errors import ConfigError

PLUGIN: Final = "salus_hil.plugin"


def suite_folder() -> Path:
    """Raises ConfigError: this is an installation without the suite, which comes with the source."""
    folder = Path(str(salus_hil.__file__)).parents[1] / "suite"
    if not folder.is_dir():
        raise ConfigError(f"no suite at {folder}: it comes with the source; give pytest its folder yourself")
    return folder


def plugin_options() -> list[str]:
    """What pytest needs to find the plugin where it was not installed with an entry point."""
    known = {each.value for each in entry_points(group="pytest11")}
    return [] if PLUGIN in known else ["-p", PLUGIN]


def run_suite(rig: Path, options: Sequence[str]) -> int:
    """pytest's exit code. What `options` name besides options is tested instead of the whole suite."""
    where = [] if any(map(_is_tests, options)) else [str(suite_folder())]
    command = [sys.executable, "-m", "pytest", *plugin_options(), "--salus-rig", str(rig), *where, *options]
    return subprocess.run(command, check=False).returncode


def _is_tests(option: str) -> bool:
    """Whether this is a file or folder of tests: it may also be an option's value, such as a report's folder."""
    path = Path(option.split("::")[0])
    return (path.suffix == ".py" and path.is_file()) or (path.is_dir() and any(path.glob("test_*.py")))
