"""What exists before the first process starts: who is who, keys, genesis, one TOML file per process."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from salus.demo.options import Options
from salus.demo.people import Cast, cast
from salus.demo.workspace import Arm, Workspace, arms, consent_of, write_gateway, write_toml, write_wearable
from salus.errors import SalusError
from salus.processes import free_ports
from salus_chain.founding import init_chain
from salus_chain.genesis import MIN_UPDATES, Genesis, Policy
from salus_chain.keys import PemSigner
from salus_chain.node.validator import ConsentSeat, GatewaySeat
from salus_coordinator.data import load, people
from salus_coordinator.data.sources import locate
from salus_coordinator.tasks import find_task, task_of_data
from salus_edge.task import Task

MARK: Final = ".salus-demo"
FEDERATION: Final = "demo"
# Plain first values, tuned on nobody, and fixed before any patient's test part was looked at; the same for every
# arm. Better ones are known (docs/benchmarks.md); they wait for people whose test part nobody has seen.
CALIBRATION: Final[dict[str, float]] = {"shared_epochs": 5, "personal_epochs": 0, "lr_shared": 0.01, "open_s": 6.0}
FEATURE: Final[dict[str, float]] = {
    "shared_epochs": 5,
    "personal_epochs": 5,
    "lr_shared": 0.01,
    "lr_personal": 0.01,
    "open_s": 5.0,
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the run needs to know of its folder."""

    space: Workspace
    genesis: Genesis
    roles: Cast
    task: Task
    data_title: str
    arms: tuple[Arm, ...]
    broker_port: int  # 0 with a broker of one's own
    broker_url: str
    builder_port: int


def fresh_folder(folder: Path) -> Workspace:
    """An empty folder of ours. Raises SalusError when there is something in it that no demo wrote."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise SalusError(f"{folder} holds something else than an earlier demo; name another folder with --dir")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("Made by `salus demo`, which replaces this folder when it is run again.\n")
    return Workspace(folder)


def prepare(options: Options) -> Prepared:
    """Write the folder. Raises SalusError, ConfigError or DataError before anything is started."""
    name = task_of_data(options.data)
    if name is None:
        raise SalusError(f"no task that ships with Salus uses data set {options.data!r}; `salus data list` shows them")
    task, dataset = find_task(name), load(options.data, locate())
    pretrain, others = people(dataset, seed=options.seed)
    try:
        roles = cast(pretrain, others, options.patients, options.gateways, options.validators)
    except ValueError as error:
        raise SalusError(f"{options.data}: {error}") from None
    space = fresh_folder(options.folder)
    *chain_ports, broker_port, builder_port = free_ports(2 * options.validators + 2)
    url = options.broker or f"mqtt://127.0.0.1:{broker_port}"
    which = arms(task.name)
    consents = {patient.subject: consent_of(patient.subject) for patient in roles.patients}
    genesis = _found(space, roles, consents, chain_ports, options)
    for gateway in roles.gateways:
        write_gateway(space, genesis, roles, gateway, url, {who: pair[0] for who, pair in consents.items()}, which)
    for patient in roles.patients:
        write_wearable(space, genesis, patient, url, options.data)
    _write_coordinator(space, roles, which, options, builder_port)
    port = 0 if options.broker else broker_port
    return Prepared(space, genesis, roles, task, dataset.title, which, port, url, builder_port)


def _found(
    space: Workspace,
    roles: Cast,
    consents: dict[str, tuple[bytes, bytes]],
    ports: list[int],
    options: Options,
) -> Genesis:
    seats: dict[int, list[GatewaySeat]] = {}
    held: dict[int, list[ConsentSeat]] = {}
    for seat, hospital in enumerate(roles.hospitals):
        for gateway in roles.of_hospital(hospital):
            key = PemSigner.generate(space.keys / f"{gateway}.pem").public_key.hex()
            (space.keys / f"{gateway}.pub").write_text(key + "\n")
            own = roles.of_gateway(gateway)
            seats.setdefault(seat, []).append(GatewaySeat(id=gateway, public_key=key, patients=len(own)))
            for patient in own:
                consent, device = consents[patient.subject]
                held.setdefault(seat, []).append(ConsentSeat(consent=consent.hex(), device=device.hex()))
    founded = init_chain(
        space.folder,
        validators=len(roles.hospitals),
        federation=FEDERATION,
        ports=ports,
        policy=Policy(min_updates=min(MIN_UPDATES, options.gateways), min_duration_ms=500),
        gateways=seats,
        consents=held,
        test=options.gateways < MIN_UPDATES,
    )
    (space.keys / "release.pub").write_text(founded.genesis.release_keys[0].hex() + "\n")
    return founded.genesis


def _write_coordinator(
    space: Workspace, roles: Cast, which: tuple[Arm, ...], options: Options, builder_port: int
) -> None:
    least = min(MIN_UPDATES, len(roles.gateways))

    def round_plan(kind: str, algorithm: str, settings: dict[str, float], repeat: int) -> dict[str, Any]:
        timed = {**settings, "open_s": settings["open_s"] * options.patience}
        return {"kind": kind, "algorithm": algorithm, "min_updates": least, "repeat": repeat, **timed}

    def feature_rounds(arm: Arm) -> dict[str, Any]:
        return round_plan("feature", arm.algorithm, FEATURE, options.rounds - 1)

    content: dict[str, Any] = {
        "genesis": "genesis.toml",
        "key": "keys/coordinator.pem",
        "release_key": "keys/release.pem",
        "model": "model",
        "builder": f"http://127.0.0.1:{builder_port}",
        "progress": space.progress.name,
        "rounds": [
            round_plan("calibration", "fedavg", CALIBRATION, 1),
            feature_rounds(which[0]),
        ],
        "arms": [{"task": arm.task, "rounds": [feature_rounds(arm)]} for arm in which[1:]],
    }
    write_toml(space.config("coordinator"), content, "The campaign.\nRun: salus coordinator run coordinator.toml")
