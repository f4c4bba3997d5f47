"""Runners: programs that do not come up, and other people's power switches."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from salus_hil.errors import ConfigError, RigError
from salus_hil.rig.power import run_command
from salus_hil.rig.qmp import Qmp
from salus_hil.rig.rigfile import Entry, RigWearable, read_rig
from salus_hil.rig.runners import BoardRunner, NativeRunner, child, make_runner
from salus_hil.rig.runners import board as boards
from tests.hil.fakes import write_rig


def program(folder: Path, text: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_program_that_ends_at_once_is_said_with_its_last_words(tmp_path: Path) -> None:
    runner = NativeRunner(program(tmp_path, "echo flash is damaged; exit 3"), tmp_path / "w")
    with pytest.raises(RigError, match=r"ended with 3 .*flash is damaged"):
        runner.start()
    assert not runner.running


def test_a_program_without_a_port_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "START_TIMEOUT_S", 0.2)
    runner = NativeRunner(program(tmp_path, "exec sleep 60"), tmp_path / "w")
    with pytest.raises(RigError, match="it said nothing"):
        runner.start()
    assert not runner.running


def test_a_cut_is_no_goodbye_and_a_stop_is_one(tmp_path: Path) -> None:
    text = """trap 'echo bye > "$2/bye"; exit 0' TERM; : > "$4"; while :; do sleep 0.05; done"""
    runner = NativeRunner(program(tmp_path, text), tmp_path / "w")
    assert runner.start() == str(tmp_path / "w" / "serial")
    runner.cut()
    assert not runner.running and not (tmp_path / "w" / "flash" / "bye").exists()
    runner.start()
    runner.stop()
    assert (tmp_path / "w" / "flash" / "bye").exists()


def test_a_program_that_a_killed_host_left_behind_is_ended_first(tmp_path: Path) -> None:
    runs = program(tmp_path, """trap '' TERM; : > "$4"; while :; do sleep 0.05; done""")
    first, second = NativeRunner(runs, tmp_path / "w"), NativeRunner(runs, tmp_path / "w")
    first.start()
    second.start()
    assert not first.running and second.running
    second.cut()


def test_a_missing_program_says_how_to_build_it(tmp_path: Path) -> None:
    rig = read_rig(write_rig(tmp_path, {"program": "nowhere"}))
    with pytest.raises(ConfigError, match="scripts/firmware build"):
        make_runner(rig.wearables[0], tmp_path)


def board(folder: Path, **changes: object) -> BoardRunner:
    log = folder / "switch"
    power = {"cut": ["sh", "-c", f"echo cut >> {log}"], "restore": ["sh", "-c", f"echo restore >> {log}"]}
    entry = {"id": "b", "runner": "board", "serial": "socket://h:1", "power": {**power, "settle_s": 0.0}, **changes}
    made = read_rig(write_rig(folder, entry)).wearables[0]
    runner = make_runner(made, folder)
    assert isinstance(runner, BoardRunner)
    return runner


def test_a_boards_power_is_its_rigs_commands(tmp_path: Path) -> None:
    runner = board(tmp_path)
    assert runner.start() == "socket://h:1" and runner.running
    runner.cut()
    assert not runner.running
    assert (tmp_path / "switch").read_text().split() == ["restore", "cut"]


def test_a_board_without_power_control_cannot_be_cut(tmp_path: Path) -> None:
    runner = board(tmp_path, power=None)
    runner.start()
    with pytest.raises(RigError, match="no `power`"):
        runner.cut()


def test_a_board_that_is_not_plugged_in_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "PORT_TIMEOUT_S", 0.1)
    with pytest.raises(RigError, match="plugged in"):
        board(tmp_path, serial=str(tmp_path / "port")).start()


@pytest.mark.parametrize(
    ("command", "said"),
    [(["sh", "-c", "echo no hub >&2; exit 2"], "exit code 2; no hub"), (["/nowhere/hub"], "cannot be run")],
)
def test_a_switch_that_fails_says_what_it_said(command: list[str], said: str) -> None:
    with pytest.raises(RigError) as failed:
        run_command(command)
    assert said in str(failed.value)


def test_qmp_asks_past_events_and_says_refusals(tmp_path: Path) -> None:
    """A stand-in for QEMU: a greeting, then an event before the answers."""
    path = tmp_path / "qmp"
    answers: list[list[dict[str, object]]] = [
        [{"QMP": {"version": {}}}],
        [{"event": "RESUME"}, {"return": {}}],
        [{"return": [{"label": "compat_monitor0"}, {"label": "serial0", "filename": "pty:/dev/pts/7"}]}],
        [{"error": {"class": "CommandNotFound"}}],
    ]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def answer() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                for group in answers:
                    for each in group:
                        connection.sendall(json.dumps(each).encode() + b"\n")
                    lines.readline()

        thread = threading.Thread(target=answer)
        thread.start()
        qmp = Qmp.connect(path)
        assert qmp.serial_port("serial0") == "/dev/pts/7"
        with pytest.raises(RigError, match="CommandNotFound"):
            qmp.command("fly")
        qmp.close()
        thread.join()


def test_an_entry_is_what_a_runner_is_made_of() -> None:
    entry = Entry(id="n", product="p", runner="native", program="x")
    with pytest.raises(ConfigError):
        make_runner(RigWearable(entry, None), Path())
