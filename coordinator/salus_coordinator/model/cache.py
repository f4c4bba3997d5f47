"""Where built packages are kept, named by the hash of all that made them; never in the repository."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import msgspec

import salus_coordinator
import salus_edge
from salus_coordinator.model.pretrain import Recipe
from salus_edge.task import Task

VERSIONED: Final = ("tensorflow", "ai-edge-litert", "tflite-micro", "numpy")
CODE: Final = ("model", "data")  # folders of this package whose code decides what a package holds


def cache_root() -> Path:
    """`SALUS_CACHE`, else the platform's cache folder."""
    if named := os.environ.get("SALUS_CACHE"):
        return Path(named)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "salus"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "salus"


def key(task: Task, data_digest: str, people: tuple[str, ...], recipe: Recipe, seed: int) -> str:
    """The package's name: 32 hexadecimal digits."""
    parts = {
        "task": msgspec.to_builtins(task),
        "data": data_digest,
        "people": people,
        "recipe": asdict(recipe),
        "seed": seed,
        "versions": {name: _version(name) for name in VERSIONED},
        "code": code_digest(),
    }
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def code_digest() -> str:
    """SHA-256 of the sources that decide what a package holds: model building, data, front end."""
    coordinator = Path(str(salus_coordinator.__file__)).parent
    folders = [coordinator / name for name in CODE] + [Path(str(salus_edge.__file__)).parent / "frontend"]
    files = sorted(file for folder in folders for file in folder.rglob("*.py"))
    return sha256(b"".join(sha256(file.read_bytes()).digest() for file in files)).hexdigest()


def folder_of(name: str) -> Path:
    return cache_root() / "models" / name


def copy(source: Path, target: Path) -> None:
    """Copy a cached package to where it is wanted, each file whole."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target) as made:
        for file in sorted(source.iterdir()):
            shutil.copyfile(file, Path(made) / file.name)
            (Path(made) / file.name).replace(target / file.name)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
