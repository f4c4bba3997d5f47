"""What starts a rig's wearable and cuts its power: a process, an emulator, or somebody else's board.

A `start` after a `cut` finds flash as it was: what had been written when the power went.
"""

from __future__ import annotations

from pathlib import Path

from salus_hil.errors import ConfigError
from salus_hil.rig.rigfile import RigWearable
from salus_hil.rig.runners.board import BoardRunner
from salus_hil.rig.runners.native import NativeRunner
from salus_hil.rig.runners.qemu import QemuRunner
from salus_hil.rig.runners.runner import Runner

__all__ = ["BoardRunner", "NativeRunner", "QemuRunner", "Runner", "make_runner"]


def make_runner(wearable: RigWearable, folder: Path) -> Runner:
    """The runner of an entry; `folder` holds its flash and its logs. Raises ConfigError: no program there."""
    if wearable.entry.runner == "board":
        return BoardRunner(wearable.entry)
    program = wearable.program
    if program is None or not program.is_file():
        raise ConfigError(f"{wearable.id}: no program at {program}; build it with scripts/firmware build")
    return NativeRunner(program, folder) if wearable.entry.runner == "native" else QemuRunner(program, folder)
