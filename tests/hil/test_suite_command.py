from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from salus_hil.rig.suite import run_suite, suite_folder


@pytest.mark.parametrize(
    ("options", "whole"),
    [
        (["-q"], True),
        (["--salus-report", "FOLDER"], True),  # a folder that is there, but no tests
        (["TESTS"], False),
        (["TESTS/test_one.py::test_it", "-x"], False),
    ],
)
def test_the_whole_suite_is_meant_unless_tests_are_named(
    options: list[str], whole: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def run(command: list[str], check: bool) -> SimpleNamespace:
        said.extend(command)
        return SimpleNamespace(returncode=5)

    monkeypatch.setattr(subprocess, "run", run)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").touch()
    named = [each.replace("FOLDER", str(tmp_path)).replace("TESTS", str(tmp_path / "tests")) for each in options]
    assert run_suite(Path("rig.yaml"), named) == 5
    assert (str(suite_folder()) in said) == whole
