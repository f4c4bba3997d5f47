from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from salus_hil.rig.suite import run_suite, suite_folder


@pytest.mark.parametrize("other", [False, True])
def test_the_whole_suite_runs_unless_another_is_named(
    other: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        said.extend(command)
        return SimpleNamespace(returncode=5)

    monkeypatch.setattr(subprocess, "run", run)
    options = ["-q", "--salus-report", str(tmp_path)]  # a folder that is there, but no tests
    assert run_suite(Path("rig.yaml"), options, tmp_path if other else None) == 5
    assert said[-4] == str(tmp_path if other else suite_folder()) and said[-3:] == options
