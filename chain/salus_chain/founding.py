"""Founding a federation on one machine: keys, genesis, and a folder and configuration for each validator."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from salus_chain.errors import ConfigError
from salus_chain.genesis import Genesis, Policy, Validator, check_genesis, write_genesis
from salus_chain.keys import PemSigner
from salus_chain.node.holdings import DATABASE_FILE, VOTES_FILE
from salus_chain.node.store import Store
from salus_chain.node.validator import ConsentSeat, GatewaySeat, ValidatorConfig, write_validator
from salus_chain.node.votes import VoteLog

BLOBS_FOLDER = "blobs"


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
    policy: Policy | None = None,
    tasks: Sequence[str] = ("*",),
    gateways: Mapping[int, Sequence[GatewaySeat]] | None = None,
    consents: Mapping[int, Sequence[ConsentSeat]] | None = None,
    coordinator_key: Path | None = None,
    release_key: Path | None = None,
    test: bool = False,
    time_ms: int | None = None,
) -> Founded:
    """Make a federation of `validators` hospitals that listen on 127.0.0.1.

    `ports` gives each seat a port for peers, then one for clients; by default they count up from `base_port`.
    `gateways` and `consents` go into the configuration of that seat. Missing coordinator and release keys are
    made. Raises ConfigError when the folder holds a federation already.
    """
    keys, genesis_path = folder / "keys", folder / "genesis.toml"
    if genesis_path.exists():
        raise ConfigError(f"{genesis_path}: a federation was founded here already; choose another folder")
    ports = ports or range(base_port, base_port + 2 * validators)
    if validators < 1 or len(ports) != 2 * validators:
        raise ConfigError(f"{validators} validators need {2 * validators} ports, not {len(ports)}")
    folder.mkdir(parents=True, exist_ok=True)
    coordinator_key = coordinator_key or keys / "coordinator.pem"
    release_key = release_key or keys / "release.pem"
    seats = []
    for seat in range(validators):
        signer = PemSigner.generate(keys / f"validator-{seat}.pem")
        peer, http = ports[2 * seat], ports[2 * seat + 1]
        seats.append(Validator(f"hospital-{seat}", signer.public_key, f"127.0.0.1:{peer}", f"https://127.0.0.1:{http}"))
    genesis = Genesis(
        federation,
        time.time_ns() // 1_000_000 if time_ms is None else time_ms,
        tuple(seats),
        (_key(coordinator_key),),
        (_key(release_key),),
        policy or Policy(),
        test,
    )
    check_genesis(genesis, str(genesis_path))
    write_genesis(genesis_path, genesis)
    configs = []
    for seat, validator in enumerate(seats):
        path = folder / f"validator-{seat}.toml"
        config = ValidatorConfig(
            name=validator.name,
            key=f"keys/validator-{seat}.pem",
            folder=f"validator-{seat}",
            tasks=tuple(tasks),
            gateways=tuple((gateways or {}).get(seat, ())),
            consents=tuple((consents or {}).get(seat, ())),
        )
        write_validator(path, config)
        prepare_folder(folder / config.folder, genesis)
        configs.append(path)
    return Founded(genesis, genesis_path, tuple(configs), coordinator_key, release_key)


def prepare_folder(folder: Path, genesis: Genesis) -> None:
    """A new validator's database and vote log, once in its life. Raises ConfigError when there are any."""
    folder.mkdir(parents=True, exist_ok=True)
    Store.create(folder / DATABASE_FILE, genesis)
    VoteLog.create(folder / VOTES_FILE)


def _key(path: Path) -> bytes:
    signer = PemSigner.load(path) if path.exists() else PemSigner.generate(path)
    return signer.public_key
