"""Rigs of fake wearables: a program of one line that starts the package's fake."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import tomli_w
import yaml

from salus_edge.task import Task
from salus_hil.rig.driver import Wearable
from salus_hil.rig.package import TASK
from salus_hil.rig.rigfile import read_rig
from salus_hil.rig.runners import make_runner


def fake_program(folder: Path, task: Task = TASK, *options: str) -> Path:
    """An executable with the options of the firmware's host program."""
    (folder / "task.toml").write_text(tomli_w.dumps(msgspec.to_builtins(task)))
    path = folder / "fake-wearable"
    more = " ".join(options)
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -m salus_hil.fake --task {folder}/task.toml {more} "$@"\n')
    path.chmod(0o755)
    return path


def write_rig(folder: Path, *entries: dict[str, object]) -> Path:
    """A rig file; an entry lacks only what it says otherwise."""
    path = folder / "rig.yaml"
    path.write_text(
        yaml.safe_dump([{"id": "fake", "product": "a fake", "runner": "native", **each} for each in entries])
    )
    return path


@contextmanager
def fake_wearable(folder: Path, *options: str) -> Iterator[Wearable]:
    """One that has power and has said hello."""
    rig = read_rig(write_rig(folder, {"program": str(fake_program(folder, TASK, *options))})).wearables[0]
    with Wearable(rig, make_runner(rig, folder / "state"), folder / "serial.log") as made:
        made.start()
        yield made
