"""A board on somebody's bench."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from salus_hil.errors import RigError
from salus_hil.rig.power import run_command
from salus_hil.rig.rigfile import Entry

PORT_TIMEOUT_S: Final = 10.0


class BoardRunner:
    """A board on somebody's bench: its power is a command of theirs, or nobody's."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._running = False

    @property
    def running(self) -> bool:
        return self._running

    @property
    def flash(self) -> list[Path]:
        return []

    def start(self) -> str:
        if self._entry.power is not None:
            run_command(self._entry.power.restore)
        self._await_port()
        self._running = True
        return self._entry.serial

    def cut(self) -> None:
        """Raises RigError: this rig file has no power control."""
        power = self._entry.power
        if power is None:
            raise RigError(f"{self._entry.id}: its power cannot be cut from here; its rig entry has no `power`")
        run_command(power.cut)
        self._running = False
        time.sleep(power.settle_s)

    def stop(self) -> None:
        """A board stays on."""
        self._running = False

    def _await_port(self) -> None:
        """A USB port comes some time after its board's power."""
        entry, deadline = self._entry, time.monotonic() + PORT_TIMEOUT_S
        if not entry.serial.startswith("/"):
            return
        while not Path(entry.serial).exists():
            if time.monotonic() > deadline:
                raise RigError(f"{entry.id}: no {entry.serial} after {PORT_TIMEOUT_S:.0f} s; is the board plugged in?")
            time.sleep(0.05)
