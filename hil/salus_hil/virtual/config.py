"""A virtual wearable's TOML file, and what it becomes once its files are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from salus_chain.config import Config, beside, load
from salus_chain.keys import is_public_key
from salus_edge.errors import ConfigError
from salus_edge.link.seal import SECRET_BYTES
from salus_edge.link.topics import topic
from salus_edge.link.url import Broker, read_url


class Phase(Config, frozen=True):
    """Parts of the subject's recordings, replayed once a model version is active, and what else it waits for is there:
    a calibration that was asked for, the patient's own release.
    """

    parts: list[str]
    after_version: int = 1
    wait_for_calibration: bool = False
    wait_for_personal: bool = False


class Replay(Config, frozen=True):
    """Whose recordings, from which data set (below `root`, else where `salus data` looks), from when on (UTC)."""

    data: str
    subject: str
    phases: list[Phase]
    root: str = ""
    start_ms: int = 1_767_225_600_000


class WearableFile(Config, frozen=True):
    """The file as written. Paths are relative to it; `speed` is a multiple of real time, 0 as fast as it goes.

    Personal releases are taken from the gateway that `gateway_public_key` names, and without one from none.
    """

    device: str
    federation: str
    mqtt: str
    link_secret: str
    release_public_key: str
    chain_id: str
    model: str
    state: str
    replay: Replay
    ring_packets: int = 4096
    features_per_packet: int = 8
    windows_per_packet: int = 4
    speed: float = 0.0
    ack_timeout_s: float = 10.0
    gateway_public_key: str = ""


@dataclass(frozen=True, slots=True)
class Wearable:
    """A wearable's configuration with its secrets read and its paths resolved."""

    file: WearableFile
    broker: Broker
    link_secret: bytes
    release_public_key: bytes
    gateway_public_key: bytes  # empty: none
    chain_id: bytes
    model: Path
    state: Path
    root: Path | None


def read_wearable(path: Path) -> Wearable:
    """Raises ConfigError, naming file and key."""
    file = load(path, WearableFile)
    _check(path, file)
    secret = _hex(beside(path, file.link_secret), "link_secret", SECRET_BYTES)
    return Wearable(
        file=file,
        broker=read_url(file.mqtt, path),
        link_secret=secret,
        release_public_key=_public_key(path, "release_public_key", file.release_public_key),
        gateway_public_key=(
            _public_key(path, "gateway_public_key", file.gateway_public_key) if file.gateway_public_key else b""
        ),
        chain_id=_from_hex(f"{path}: chain_id", file.chain_id, 32),
        model=beside(path, file.model),
        state=beside(path, file.state),
        root=beside(path, file.replay.root) if file.replay.root else None,
    )


def _check(path: Path, file: WearableFile) -> None:
    try:
        topic(file.federation, file.device, "state")
    except Exception as error:
        raise ConfigError(f"{path}: {error}") from None
    for name in ("ring_packets", "features_per_packet", "windows_per_packet", "ack_timeout_s"):
        if getattr(file, name) <= 0:
            raise ConfigError(f"{path}: {name} is above 0")
    if file.speed < 0 or not file.replay.phases:
        raise ConfigError(f"{path}: speed is 0 or more, and replay has at least one phase")
    known = {"setup", "diary", "reference"}
    if odd := {part for phase in file.replay.phases for part in phase.parts} - known:
        raise ConfigError(f"{path}: replay.phases: no part {', '.join(sorted(odd))}; known are {sorted(known)}")


def _public_key(path: Path, name: str, file: str) -> bytes:
    key = _hex(beside(path, file), name, 33)
    if not is_public_key(key):
        raise ConfigError(f"{path}: {name} is not a compressed P-256 point")
    return key


def _hex(path: Path, name: str, length: int) -> bytes:
    try:
        return _from_hex(f"{path} ({name})", path.read_text().strip(), length)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: {path} cannot be read ({error})") from None


def _from_hex(where: str, text: str, length: int) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if len(data) != length:
        raise ConfigError(f"{where}: {length} bytes in hex are wanted")
    return data
