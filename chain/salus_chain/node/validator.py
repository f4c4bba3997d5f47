"""A validator's own configuration, validator.toml: its seat, its folder, and what its hospital stands for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import tomli_w

from salus_chain.config import Config, load
from salus_chain.errors import ConfigError

VALIDATOR_FILE: Final = "validator.toml"


class GatewaySeat(Config, frozen=True):
    """A gateway of this hospital. `public_key` is 66 hex digits, `patients` the number enrolled at it."""

    id: str
    public_key: str
    patients: int


class ConsentSeat(Config, frozen=True):
    """A consent that this hospital holds: salted SHA-256 digests, 64 hex digits each."""

    consent: str
    device: str


class ValidatorConfig(Config, frozen=True):
    """Paths are relative to the file. `tasks` are the tasks, or patterns, that the hospital takes part in.

    `listen_peer` and `listen_http`, each `host:port`, are what to listen on where that is not the address by which
    others know this validator: behind a translated address, say, or in a container.
    """

    name: str
    key: str = "key.pem"
    genesis: str = "genesis.toml"
    folder: str = "data"
    listen_peer: str = ""
    listen_http: str = ""
    round_ms: int = 400  # how long a proposer may take before the next one has its turn
    blobs: str = ""  # an fsspec URL; empty: the folder's own
    keep_updates_days: int = 30  # after their round has ended; then their bytes are erased
    tasks: tuple[str, ...] = ()
    gateways: tuple[GatewaySeat, ...] = ()
    consents: tuple[ConsentSeat, ...] = ()


def config_file(path: Path) -> Path:
    """The configuration at `path`, or in the validator's folder at `path`."""
    return path / VALIDATOR_FILE if path.is_dir() else path


def read_validator(path: Path) -> ValidatorConfig:
    """Raises ConfigError."""
    config = load(path, ValidatorConfig)
    if config.keep_updates_days < 0:
        raise ConfigError(f"{path}: keep_updates_days: 0 or more days are wanted, not {config.keep_updates_days}")
    for gateway in config.gateways:
        _octets(gateway.public_key, 33, path, f"gateways.{gateway.id}.public_key")
    for row in config.consents:
        _octets(row.consent, 32, path, "consents.consent")
        _octets(row.device, 32, path, "consents.device")
    return config


def write_validator(path: Path, config: ValidatorConfig) -> None:
    """Write what `read_validator` reads back."""
    path.write_text(tomli_w.dumps(msgspec.to_builtins(config)))


def _octets(digits: str, length: int, path: Path, name: str) -> bytes:
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if len(data) != length:
        raise ConfigError(f"{path}: {name}: {2 * length} hex digits are wanted, not {digits!r}")
    return data
