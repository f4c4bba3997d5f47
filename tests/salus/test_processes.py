from __future__ import annotations

import sys
from pathlib import Path

import pytest

from salus.errors import DemoError
from salus.processes import Processes, free_ports


def test_a_process_that_dies_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes:
        processes.start("sick", [sys.executable, "-c", "print('it hurts'); raise SystemExit(3)"])
        with pytest.raises(DemoError, match=r"sick ended with exit code 3(.|\n)*it hurts"):
            processes.wait_until(lambda: False, "recovery", 20)


def test_waiting_ends_in_time_and_says_for_what(tmp_path: Path) -> None:
    with Processes(tmp_path) as processes, pytest.raises(DemoError, match="the moon took longer than 0 s"):
        processes.wait_until(lambda: False, "the moon", 0.1)


def test_leaving_ends_every_process_also_one_that_ignores_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("salus.processes.STOP_TIMEOUT_S", 0.5)
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    with Processes(tmp_path) as processes:
        child = processes.start("deaf", [sys.executable, "-c", deaf])
        processes.wait_until(lambda: b"up" in child.log.read_bytes(), "deaf to start", 20)
    assert child.process.poll() is not None


def test_free_ports_are_different() -> None:
    assert len(set(free_ports(8))) == 8
