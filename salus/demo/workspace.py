"""The demo's folder: keys, secrets and one TOML file per process, as a person would write them by hand."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import tomli_w

from salus.demo.people import Cast, Patient
from salus_chain.genesis import Genesis

START_MS: Final = 1_767_225_600_000  # 2026-01-01: the recordings carry no date, the wearables' clocks need one


@dataclass(frozen=True, slots=True)
class Workspace:
    """Paths inside the demo's folder."""

    folder: Path

    @property
    def genesis(self) -> Path:
        return self.folder / "genesis.toml"

    @property
    def model(self) -> Path:
        return self.folder / "model"

    @property
    def progress(self) -> Path:
        return self.folder / "progress.jsonl"

    @property
    def proofs(self) -> Path:
        return self.folder / "proofs"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    def config(self, name: str) -> Path:
        """The TOML file of a process."""
        return self.folder / f"{name}.toml"

    def state(self, device: str) -> Path:
        """A wearable's flash: slots, ring, counters."""
        return self.folder / "wearables" / device


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of learning in the comparison: a task id on the chain."""

    task: str
    algorithm: str
    labels: tuple[str, ...]


def arms(main: str) -> tuple[Arm, ...]:
    """The personalised arm (first) and its FedAvg comparator, with 20 % and with 60 % of the labels."""
    return (
        Arm(main, "fedrep", ("setup",)),
        Arm(f"{main}-fedavg", "fedavg", ("setup",)),
        Arm(f"{main}-60", "fedrep", ("setup", "diary")),
        Arm(f"{main}-fedavg-60", "fedavg", ("setup", "diary")),
    )


def write_toml(path: Path, content: dict[str, Any], comment: str) -> None:
    """Write one configuration file, headed by what it is for and how it is run."""
    path.write_text("".join(f"# {line}\n" for line in comment.splitlines()) + "\n" + tomli_w.dumps(content))


def new_secret(path: Path) -> bytes:
    """32 random bytes as a hex file that only its owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    secret = secrets.token_bytes(32)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret.hex() + "\n")
    return secret


def consent_of(subject: str) -> tuple[bytes, bytes]:
    """Salted digests (consent, device) for the chain; in a hospital the salt stays in its records."""
    salt = secrets.token_bytes(16)
    return sha256(salt + b"consent of " + subject.encode()).digest(), sha256(salt + subject.encode()).digest()


def write_gateway(
    space: Workspace,
    genesis: Genesis,
    roles: Cast,
    gateway: str,
    broker: str,
    consents: dict[str, bytes],
    which: Sequence[Arm],
) -> None:
    """Write a gateway's store key and configuration; its signing key is enrolled at its hospital already."""
    new_secret(space.keys / f"{gateway}.store")
    content = {
        "gateway": gateway,
        "key": f"keys/{gateway}.pem",
        "genesis": "genesis.toml",
        "validators": [validator.url for validator in genesis.validators],
        "federation": genesis.federation,
        "store": f"{gateway}.sqlite",
        "store_key": f"keys/{gateway}.store",
        "model": "model",
        "retention_days": 30,
        "mqtt": {"url": broker},
        "patients": [
            {
                "patient": patient.subject,
                "device": patient.device,
                "link_secret": f"keys/{patient.device}.link",
                "consent": consents[patient.subject].hex(),
                "calibrate": True,
            }
            for patient in roles.of_gateway(gateway)
        ],
        "arms": [{"task": arm.task, "labels": list(arm.labels)} for arm in which],
    }
    write_toml(
        space.config(gateway),
        content,
        f"An edge gateway and its patients.\nRun: salus gateway run {gateway}.toml",
    )


def write_wearable(space: Workspace, genesis: Genesis, patient: Patient, broker: str, data: str) -> None:
    """Write a wearable's secret and configuration: setup and diary with version 1, the test part with 2."""
    new_secret(space.keys / f"{patient.device}.link")
    content = {
        "device": patient.device,
        "federation": genesis.federation,
        "mqtt": broker,
        "link_secret": f"keys/{patient.device}.link",
        "release_public_key": "keys/release.pub",
        "gateway_public_key": f"keys/{patient.gateway}.pub",
        "chain_id": genesis.chain_id.hex(),
        "model": "model",
        "state": f"wearables/{patient.device}",
        "replay": {
            "data": data,
            "subject": patient.subject,
            "start_ms": START_MS,
            "phases": [
                {"parts": ["setup", "diary"], "after_version": 1, "wait_for_calibration": True},
                {"parts": ["reference"], "after_version": 2},
            ],
        },
    }
    write_toml(
        space.config(patient.device),
        content,
        f"A virtual wearable that replays one person's recordings.\nRun: salus wearable simulate {patient.device}.toml",
    )
