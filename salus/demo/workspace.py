"""The demo's folder: keys, secrets and one TOML file per process, as a person would write them by hand."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import tomli_w

from salus.demo.options import Options
from salus.demo.people import Cast, Patient
from salus_chain.genesis import Genesis

MAIN: Final = "exercise"
FEATURE_ROUND: Final = {"rule": "clipped_mean", "clip": 2.0, "open_s": 2.0, "settle_s": 20.0}
LABELS: Final = {"20": ["setup"], "60": ["setup", "diary"]}


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the demo's own servers listen on the loopback interface."""

    broker: int
    builder: int


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
    def coordinator(self) -> Path:
        return self.folder / "coordinator.toml"

    @property
    def progress(self) -> Path:
        return self.folder / "progress.jsonl"

    @property
    def proofs(self) -> Path:
        return self.folder / "proofs"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def config(self, name: str) -> Path:
        return self.folder / f"{name}.toml"

    def state(self, device: str) -> Path:
        return self.folder / "wearables" / device


def write_toml(path: Path, content: dict[str, Any], comment: str) -> None:
    """Write one configuration file, headed by what it is for and how it is run."""
    path.write_text("".join(f"# {line}\n" for line in comment.splitlines()) + "\n" + tomli_w.dumps(content))
