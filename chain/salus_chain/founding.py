"""Founding a federation: keys, genesis, and for each validator a folder of its own, ready to copy to its machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from salus_chain.durable import make_folder
from salus_chain.errors import ConfigError
from salus_chain.genesis import Genesis, Policy, Validator, check_genesis, is_loopback, split_address, write_genesis
from salus_chain.keys import PemSigner
from salus_chain.node.storage.holdings import DATABASE_FILE, VOTES_FILE
from salus_chain.node.storage.store import Store
from salus_chain.node.storage.votes import VoteLog
from salus_chain.node.validator import VALIDATOR_FILE, ConsentSeat, GatewaySeat, ValidatorConfig, write_validator
from salus_chain.passphrases import open_key

BLOBS_FOLDER = "blobs"
KEY_FILE = "key.pem"


@dataclass(frozen=True, slots=True)
class Founded:
    """What `init_chain` wrote."""

    genesis: Genesis
    genesis_path: Path
    validators: tuple[Path, ...]  # one validator.toml each, by seat
    coordinator_key: Path
    release_key: Path


def init_chain(
    folder: Path,
    *,
    validators: int = 4,
    federation: str = "salus",
    base_port: int = 7600,
    ports: Sequence[int] = (),
    hosts: Sequence[str] = (),
    passphrase: bytes | None = None,
    policy: Policy | None = None,
    tasks: Sequence[str] = ("*",),
    gateways: Mapping[int, Sequence[GatewaySeat]] | None = None,
    consents: Mapping[int, Sequence[ConsentSeat]] | None = None,
    coordinator_key: Path | None = None,
    release_key: Path | None = None,
    test: bool = False,
    time_ms: int | None = None,
) -> Founded:
    """Make a federation of `validators` hospitals, each a folder validator-N with key, configuration and genesis.

    `hosts` are their addresses, each `host:port` for peers, with the next port for clients. Without them all are on
    127.0.0.1: `ports` gives each a port for peers, then one for clients, and counts up from `base_port` by default.
    `gateways` and `consents` go into the configuration of that seat. Missing coordinator and release keys are made;
    a passphrase protects all keys that are made here. Raises ConfigError when the folder holds a federation already.
    """
    keys, genesis_path = folder / "keys", folder / "genesis.toml"
    if genesis_path.exists():
        raise ConfigError(f"{genesis_path}: a federation was founded here already; choose another folder")
    places = [place_of(host) for host in hosts] or _local(ports or range(base_port, base_port + 2 * validators))
    if validators < 1 or len(places) != validators:
        raise ConfigError(f"{validators} validators need as many hosts, or two ports each, not {hosts or ports}")
    folder.mkdir(parents=True, exist_ok=True)
    coordinator_key = coordinator_key or keys / "coordinator.pem"
    release_key = release_key or keys / "release.pem"
    seats = []
    for seat, place in enumerate(places):
        signer = PemSigner.generate(folder / f"validator-{seat}" / KEY_FILE, passphrase)
        seats.append(Validator(f"hospital-{seat}", signer.public_key, place.peer, place.url))
    genesis = Genesis(
        federation,
        time.time_ns() // 1_000_000 if time_ms is None else time_ms,
        tuple(seats),
        (_key(coordinator_key, passphrase),),
        (_key(release_key, passphrase),),
        policy or Policy(),
        test,
    )
    check_genesis(genesis, str(genesis_path))
    write_genesis(genesis_path, genesis)
    configs = []
    for seat, (validator, place) in enumerate(zip(seats, places, strict=True)):
        path = folder / f"validator-{seat}" / VALIDATOR_FILE
        config = ValidatorConfig(
            name=validator.name,
            listen_peer=place.listen_peer,
            listen_http=place.listen_http,
            tasks=tuple(tasks),
            gateways=tuple((gateways or {}).get(seat, ())),
            consents=tuple((consents or {}).get(seat, ())),
        )
        write_validator(path, config)
        write_genesis(path.with_name(config.genesis), genesis)
        prepare_folder(path.with_name(config.folder), genesis)
        configs.append(path)
    return Founded(genesis, genesis_path, tuple(configs), coordinator_key, release_key)


def prepare_folder(folder: Path, genesis: Genesis) -> None:
    """A new validator's database and vote log, once in its life. Raises ConfigError when there are any."""
    make_folder(folder)
    VoteLog.create(folder / VOTES_FILE)
    Store.create(folder / DATABASE_FILE, genesis)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a validator is for others, and what it listens on where that differs."""

    peer: str
    url: str
    listen_peer: str = ""
    listen_http: str = ""


def _local(ports: Sequence[int]) -> list[Place]:
    pairs = zip(ports[::2], ports[1::2], strict=False)
    return [Place(f"127.0.0.1:{peer}", f"https://127.0.0.1:{http}") for peer, http in pairs]


def place_of(address: str) -> Place:
    """A machine may know itself by another address than others do: it listens on all that it has."""
    host, port = split_address(address)
    if port + 1 >= 1 << 16:
        raise ConfigError(f"{address}: the next port is for clients, and there is none")
    shown = f"[{host}]" if ":" in host else host
    if is_loopback(host):
        return Place(f"{shown}:{port}", f"https://{shown}:{port + 1}")
    everywhere = "[::]" if ":" in host else "0.0.0.0"  # noqa: S104  (members alone get through the handshake)
    return Place(f"{shown}:{port}", f"https://{shown}:{port + 1}", f"{everywhere}:{port}", f"{everywhere}:{port + 1}")


def _key(path: Path, passphrase: bytes | None) -> bytes:
    signer = open_key(path) if path.exists() else PemSigner.generate(path, passphrase)
    return signer.public_key
