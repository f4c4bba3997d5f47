"""The pytest plugin as a person meets it: rigs, skips, reports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from salus_hil.rig.suite import plugin_options
from salus_hil.virtual.engine import tflm_available
from tests.hil.fakes import fake_program, write_rig

TESTS = """
import pytest

def test_it_says_hello(wearable):
    assert wearable.hello().board == "fake"

def test_it_is_red(wearable):
    assert wearable.hello().board == "red"

@pytest.mark.needs("board")
def test_a_board(wearable):
    raise AssertionError

def test_by_the_way():
    pass
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", *plugin_options(), "-p", "no:cacheprovider", "-q", "-rs", *options]
    return subprocess.run([*command, "--rootdir", str(folder), str(folder / "test_it.py")], cwd=folder,
                          capture_output=True, text=True, check=False)  # fmt: skip


def test_without_a_rig_tests_of_wearables_skip_visibly(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0
    assert "1 passed, 3 skipped" in done.stdout and "no rig: name one with --salus-rig" in done.stdout
    assert not (tmp_path / "hil-report").exists()


def test_with_a_rig_every_test_runs_on_every_wearable_and_is_reported(tmp_path: Path) -> None:
    program = str(fake_program(tmp_path))
    rig = write_rig(tmp_path, {"program": program}, {"id": "second", "program": program})
    done = run(tmp_path, "--salus-rig", str(rig), "--salus-report", "out")
    assert done.returncode == 1
    assert "2 failed, 3 passed, 2 skipped" in done.stdout
    assert "fake has no board" in done.stdout and "report out/report.html" in done.stdout
    out = tmp_path / "out"
    page = (out / "report.html").read_text()
    assert "it says hello[second]" in page and "fake has no board" in page and page.count("<svg") >= 2
    names = {case.get("name") for case in ElementTree.parse(out / "junit.xml").iter("testcase")}
    assert "test_it_says_hello[fake]" in names
    logs = sorted(out.glob("logs/*/serial.log"))
    assert len(logs) == 4 and all("hello_reply" in log.read_text() for log in logs)


def test_one_wearable_of_a_rig_may_be_chosen(tmp_path: Path) -> None:
    program = str(fake_program(tmp_path))
    rig = write_rig(tmp_path, {"program": program}, {"id": "second", "program": program})
    done = run(tmp_path, "--salus-rig", str(rig), "--salus-wearable", "second", "-k", "hello")
    assert "1 passed" in done.stdout
    done = run(tmp_path, "--salus-rig", str(rig), "--salus-wearable", "third")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR and "it has fake, second" in done.stderr


@pytest.mark.parametrize(
    ("entry", "said"),
    [({"program": "nowhere"}, "scripts/firmware build"), ({"program": "p", "speed": 3}, "speed")],
)
def test_a_wrong_rig_is_a_usage_error(tmp_path: Path, entry: dict[str, object], said: str) -> None:
    done = run(tmp_path, "--salus-rig", str(write_rig(tmp_path, entry)))
    assert done.returncode == pytest.ExitCode.USAGE_ERROR and said in done.stderr


@pytest.mark.skipif(not tflm_available(), reason="no TFLM on this platform")
def test_the_suite_runs_by_the_command_and_the_fake_passes_its_first_part(tmp_path: Path) -> None:
    rig = write_rig(tmp_path, {"program": str(fake_program(tmp_path))})
    command = [sys.executable, "-m", "salus", "hil", "run", str(rig), "-q", "-p", "no:cacheprovider"]
    (tmp_path / "out").mkdir()  # an option's value that is a path is no test to run
    chosen = ["-k", "factory_says_hello or golden_inputs", "--salus-report", str(tmp_path / "out")]
    done = subprocess.run([*command, *chosen], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_the_plugin_loads_nothing_heavy_without_a_rig() -> None:
    code = (
        "import sys, salus_hil.plugin; print([m for m in ('numpy', 'serial', 'google.protobuf') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
