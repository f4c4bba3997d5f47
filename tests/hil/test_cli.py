"""`salus wearable simulate` as a person meets it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from salus_coordinator.data.npz import save
from salus_hil.cli import app
from salus_hil.virtual import run as process
from tests.hil.rig import dataset, write_config


@pytest.fixture(autouse=True)
def logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "log_to_stderr", lambda: None)


def said(path: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["simulate", str(path)])
    return result.exit_code, result.output


def test_the_command_imports_nothing_heavy() -> None:
    code = "import sys, salus_hil.cli; print([m for m in ('numpy', 'aiomqtt', 'google.protobuf') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("change", "said_of_it"),
    [
        ({"chain_id": "00"}, "chain_id: 32 bytes in hex"),
        ({"mqtt": "http://h"}, "mqtt://host:port"),
        ({"device": "W_1"}, "device 'W_1'"),
        ({"ring_packets": 0}, "ring_packets is above 0"),
        ({"colour": "red"}, "colour"),
        ({"link_secret": "nowhere.hex"}, "nowhere.hex"),
        ({"model": "nowhere"}, "salus model build"),
        ({"replay": {"data": "sway", "subject": "p9", "root": ".", "phases": [{"parts": ["setup"]}]}}, "p0, p1"),
        ({"replay": {"data": "sway", "subject": "p0", "phases": [{"parts": ["night"]}]}}, "no part night"),
        ({"replay": {"data": "sway", "subject": "p0", "root": "no", "phases": [{"parts": []}]}}, "sway"),
        (
            {"replay": {"data": "sway", "subject": "p0", "phases": [{"parts": [], "wait_for_personal": True}]}},
            "`replay`",
        ),
        ({"gateway_public_key": "nowhere.pub"}, "nowhere.pub"),
    ],
)
def test_a_wrong_configuration_ends_with_2_and_one_line(
    change: dict[str, Any], said_of_it: str, tmp_path: Path
) -> None:
    save(dataset(), tmp_path / "sway" / "sway.npz")
    good = {"replay": {"data": "sway", "subject": "p0", "root": ".", "phases": [{"parts": ["setup"]}]}}
    code, output = said(write_config(tmp_path, 1, **{**good, **change}) if "device" not in change else _named(tmp_path))
    assert code == 2 and said_of_it in output and "Traceback" not in output


def test_without_tflm_it_ends_with_2_and_names_the_platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(dataset(), tmp_path / "sway" / "sway.npz")
    replay = {"data": "sway", "subject": "p0", "root": ".", "phases": [{"parts": ["setup"]}]}
    monkeypatch.setitem(sys.modules, "tflite_micro.python.tflite_micro", None)
    code, output = said(write_config(tmp_path, 1, replay=replay))
    assert code == 2 and "x86-64 Linux only" in output


def _named(folder: Path) -> Path:
    path = write_config(folder, 1)
    path.write_text(path.read_text().replace('"w-p0"', '"W_1"', 1))
    return path
