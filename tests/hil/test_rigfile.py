"""Rig files: what is read, and every way in which one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus_hil.errors import ConfigError
from salus_hil.rig.rigfile import read_rig
from tests.hil.fakes import write_rig

RIGS = Path(__file__).parents[2] / "hil" / "rigs"
BOARD = {"id": "b", "runner": "board", "serial": "/dev/serial/by-id/usb-x-if00"}
POWER = {"cut": ["hub", "0"], "restore": ["hub", "1"]}


@pytest.mark.parametrize("path", sorted(RIGS.glob("*.yaml")), ids=lambda path: str(path.stem))
def test_the_rigs_that_ship_are_right(path: Path) -> None:
    assert read_rig(path).wearables


def test_what_a_wearable_has_comes_from_its_runner_its_power_and_its_fixtures(tmp_path: Path) -> None:
    path = write_rig(
        tmp_path,
        {"id": "n", "program": "p"},
        {"id": "q", "runner": "qemu_m4", "program": "p"},
        {**BOARD, "power": POWER, "fixtures": ["broker"]},
        {**BOARD, "id": "plain"},
    )
    native, emulated, board, plain = read_rig(path).wearables
    assert native.has == {"native", "power", "flash", "broker", "fast", "network"}
    assert native.program == tmp_path.resolve() / "p"
    assert emulated.has == {"qemu_m4", "power", "flash", "broker", "bridge"}
    assert board.has == {"board", "power", "broker", "network"} and board.program is None
    assert plain.has == {"board", "network"}


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"program": "p", "colour": "red"}, "colour"),
        ({"program": "p", "runner": "renode"}, "renode"),
        ({"program": "p", "baud": "fast"}, "baud"),
        ({"program": "p", "baud": 0}, "baud is above 0"),
        ({"program": "p", "fixtures": ["coffee"]}, "no fixture coffee"),
        ({"program": "p", "id": "a b"}, "an id is"),
        ({"program": "p", "serial": "/dev/ttyS0"}, "its serial is a pty"),
        ({"program": "p", "power": POWER}, "its power ours"),
        ({}, "needs a program"),
        ({**BOARD, "program": "p"}, "has been flashed"),
        ({**BOARD, "serial": "/dev/ttyUSB0"}, "/dev/serial/by-id/"),
        ({**BOARD, "serial": "/dev/ttyACM3"}, "/dev/serial/by-id/"),
        ({**BOARD, "serial": "COM3"}, "another board"),
        ({**BOARD, "serial": "http://h"}, "socket://host:port"),
        ({**BOARD, "fixtures": ["power"]}, "cut: [command]"),
        ({**BOARD, "power": {**POWER, "cut": []}}, "a command in cut"),
        ({**BOARD, "power": {**POWER, "settle_s": -1.0}}, "settle_s"),
        ({**BOARD, "power": {"off": ["x"], "on": ["y"]}}, "power"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(tmp_path: Path, entry: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_rig(write_rig(tmp_path, entry))
    assert said in str(refused.value) and str(tmp_path) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [("[]", "at least one"), ("{}", "array"), ("- [", "rig.yaml"), ("!!python/object:os.system {}", "rig.yaml")],
)
def test_what_is_no_rig_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "rig.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as refused:
        read_rig(path)
    assert said in str(refused.value)


def test_a_missing_file_and_two_of_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_rig(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="two wearables of id 'fake'"):
        read_rig(write_rig(tmp_path, {"program": "p"}, {"program": "p"}))
