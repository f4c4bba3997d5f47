"""The boot counter rises by one with every start, or nothing may be sealed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from salus_edge.errors import ConfigError
from salus_edge.link import BootCounter


def test_every_start_has_its_own_number(tmp_path: Path) -> None:
    path = tmp_path / "boot"
    assert BootCounter.create(path).next() == 1
    assert [BootCounter(path).next() for _ in range(3)] == [2, 3, 4]


def test_a_start_never_makes_the_counter_and_enrolment_never_resets_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="enrol"):
        BootCounter(tmp_path / "boot").next()
    BootCounter.create(tmp_path / "boot")
    with pytest.raises(ConfigError, match="exists already"):
        BootCounter.create(tmp_path / "boot")


@pytest.mark.parametrize("text", [b"", b"7", b"-1\n", b"07\n", b"1\n2\n", b"\xff\n", b"99999999999\n", b"4294967295\n"])
def test_a_corrupt_or_used_up_counter_stops(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "boot"
    path.write_bytes(text)
    with pytest.raises(ConfigError):
        BootCounter(path).next()
    assert path.read_bytes() == text


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_counter_that_cannot_be_persisted_stops(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counter = BootCounter.create(tmp_path / "boot")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    owner: object = os if step == "fsync" else Path
    monkeypatch.setattr(owner, step, full)
    with pytest.raises(ConfigError, match="persisted"):
        counter.next()
    assert (tmp_path / "boot").read_text() == "0\n"
