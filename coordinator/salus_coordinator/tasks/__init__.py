"""The tasks that ship with Salus, one TOML file each, and which data set each is for."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from salus_coordinator.errors import ConfigError
from salus_edge.task import Task, load_task

SHIPPED: Final[dict[str, str]] = {"exercise": "watch", "fall": "weda_fall", "activity": "hapt"}
LATER: Final[dict[str, str]] = {
    "heartrate": "`cancel` and `spectrum` (least-squares motion cancellation, log spectrum)",
    "arrhythmia": "`beats` (R detector, RR features, beat minus template)",
}


def find_task(name: str) -> Task:
    """A shipped task by name, or one's own by the path of its TOML.

    Raises ConfigError: no such task, or one that waits for front end blocks; TaskError: the file cannot be a
    task.
    """
    if name in LATER:
        raise ConfigError(f"task {name} needs front end blocks that this version does not have yet: {LATER[name]}")
    if name in SHIPPED:
        with as_file(files(__package__) / f"{name}.toml") as path:
            return load_task(path)
    if name.endswith(".toml"):
        return load_task(Path(name))
    raise ConfigError(f"no task {name!r}; shipped are {', '.join(SHIPPED)}, or give the path of a TOML file")


def task_of_data(data: str) -> str | None:
    """The shipped task for a data set."""
    return next((task for task, source in SHIPPED.items() if source == data), None)
