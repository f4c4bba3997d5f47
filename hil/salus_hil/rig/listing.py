"""What a rig file names, and what is plugged in here, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from serial.tools import list_ports

from salus_hil.rig.rigfile import RigWearable, read_rig

BY_ID: Final = Path("/dev/serial/by-id")


def show_rigs(paths: Sequence[Path]) -> None:
    """Raises ConfigError: one cannot be read."""
    table = Table("rig", "wearable", "product", "runner", "has", "ready", box=None, header_style="bold")
    for path in paths:
        for each in read_rig(path).wearables:
            row = (path.name, each.id, each.entry.product, each.entry.runner, ", ".join(sorted(each.has)))
            table.add_row(*row, readiness(each))
    Console().print(table if table.row_count else "no rig files in hil/rigs")


def readiness(wearable: RigWearable) -> str:
    """`yes`, or what is missing."""
    if wearable.program is not None:
        return "yes" if wearable.program.is_file() else "not built: scripts/firmware build"
    serial = wearable.entry.serial
    return "yes" if not serial.startswith("/") or Path(serial).exists() else f"no {serial}"


def show_ports() -> None:
    """By the names that do not change with the order of plugging, where the system has them."""
    names = {str(link.resolve()): str(link) for link in sorted(BY_ID.glob("*"))} if BY_ID.is_dir() else {}
    table = Table("serial port", "what it says of itself", box=None, header_style="bold")
    for port in sorted(list_ports.comports()):
        table.add_row(names.get(port.device, port.device), port.description or "")
    Console().print(table if table.row_count else "no serial ports on this machine")
