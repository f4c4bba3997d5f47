"""A rig file: a YAML list of wearables, one mapping each, as twister's hardware map is one.

An unknown key is an error, and so is a serial port whose name may be another board's tomorrow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import msgspec
import yaml

from salus_chain.config import Config, beside
from salus_hil.errors import ConfigError

RunnerName = Literal["native", "qemu_m4", "board"]

PTY: Final = "pty"  # a serial port that the runner makes
FIXTURES: Final = frozenset({"broker", "bridge", "power"})  # what an entry may name
_IMPLIED: Final[dict[str, frozenset[str]]] = {
    "native": frozenset({"native", "power", "flash", "broker", "fast"}),
    "qemu_m4": frozenset({"qemu_m4", "power", "flash", "broker", "bridge"}),
    "board": frozenset({"board"}),
}
_CHANGING: Final = re.compile(r"/dev/tty(USB|ACM)\d+|COM\d+", re.IGNORECASE)
_URLS: Final = ("socket://", "rfc2217://")
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Power(Config, frozen=True):
    """Commands that cut a board's power and give it back, and for how long it stays cut at least.

    (YAML takes a key `on` or `off` for a boolean: hence these names.)
    """

    cut: list[str]
    restore: list[str]
    settle_s: float = 1.0


class Entry(Config, frozen=True):
    """One wearable as written."""

    id: str
    product: str
    runner: RunnerName
    serial: str = PTY
    baud: int = 115_200
    fixtures: list[str] = msgspec.field(default_factory=list)
    power: Power | None = None
    program: str = ""
    broker_host: str = "127.0.0.1"  # this machine, as the wearable reaches it


@dataclass(frozen=True, slots=True)
class RigWearable:
    """One wearable of a rig; `program` is the firmware that a native or emulated one runs, else None."""

    entry: Entry
    program: Path | None

    @property
    def id(self) -> str:
        return self.entry.id

    @property
    def has(self) -> frozenset[str]:
        """What tests may ask for: what the entry names, and what its runner brings along."""
        power = {"power"} if self.entry.power else set()
        has = _IMPLIED[self.entry.runner] | power | frozenset(self.entry.fixtures)
        return has if "bridge" in has else has | {"network"}


@dataclass(frozen=True, slots=True)
class Rig:
    """The wearables that one run drives, in the file's order."""

    path: Path
    wearables: tuple[RigWearable, ...]


def read_rig(path: Path) -> Rig:
    """Raises ConfigError, naming file, wearable and key."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = msgspec.convert(content, list[Entry])
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if not entries:
        raise ConfigError(f"{path}: no wearable; a rig lists at least one")
    seen: set[str] = set()
    for entry in entries:
        _check(path, entry)
        if entry.id in seen:
            raise ConfigError(f"{path}: two wearables of id {entry.id!r}")
        seen.add(entry.id)
    return Rig(path, tuple(_resolve(path, entry) for entry in entries))


def _resolve(path: Path, entry: Entry) -> RigWearable:
    return RigWearable(entry, beside(path, entry.program) if entry.program else None)


def _check(path: Path, entry: Entry) -> None:
    where = f"{path}: {entry.id}"
    if not _ID.fullmatch(entry.id):
        raise ConfigError(f"{where}: an id is 1 to 64 of letters, digits, '_', '.' and '-'")
    if odd := sorted(set(entry.fixtures) - FIXTURES):
        raise ConfigError(f"{where}: no fixture {', '.join(odd)}; known are {', '.join(sorted(FIXTURES))}")
    if entry.baud <= 0:
        raise ConfigError(f"{where}: baud is above 0")
    if entry.runner == "board":
        _check_board(where, entry)
    elif entry.serial != PTY or entry.power is not None or not entry.program:
        raise ConfigError(f"{where}: a {entry.runner} wearable needs a program; its serial is a pty, its power ours")


def _check_board(where: str, entry: Entry) -> None:
    if entry.program:
        raise ConfigError(f"{where}: program is for native and emulated wearables; a board has been flashed")
    if _CHANGING.fullmatch(entry.serial):
        raise ConfigError(f"{where}: {entry.serial} may be another board at the next plugging; see /dev/serial/by-id/")
    if not entry.serial.startswith(("/", *_URLS)):
        raise ConfigError(f"{where}: serial {entry.serial!r} is no path, nor socket://host:port or rfc2217://host:port")
    if "power" in entry.fixtures and entry.power is None:
        raise ConfigError(f"{where}: the fixture power needs `power: {{cut: [command], restore: [command]}}`")
    if entry.power is not None and not (entry.power.cut and entry.power.restore and entry.power.settle_s >= 0.0):
        raise ConfigError(f"{where}: power has a command in cut and in restore, and settle_s is 0 or more")
