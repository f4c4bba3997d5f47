"""The firmware as a process of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from salus_hil.rig.runners.child import POLL_S, Child


class NativeRunner:
    """The host program: flash in `folder`/flash, the serial port a pty that it links at `folder`/serial."""

    def __init__(self, program: Path, folder: Path, arguments: tuple[str, ...] = ()) -> None:
        self._program, self._arguments = program, arguments
        self._flash, self._link, self._kept = folder / "flash", folder / "serial", folder / "program.pid"
        self._child = Child(folder, "program")

    @property
    def running(self) -> bool:
        return self._child.running

    @property
    def flash(self) -> list[Path]:
        return sorted(path for path in self._flash.rglob("*") if path.is_file())

    @property
    def pid(self) -> int:
        """Of the running program; a reset keeps it. Raises RigError: it does not run."""
        return self._child.pid

    def start(self) -> str:
        self._link.unlink(missing_ok=True)
        self._flash.mkdir(parents=True, exist_ok=True)
        self._end_orphan()
        command = [str(self._program), "--state", str(self._flash), "--serial", str(self._link), *self._arguments]
        self._child.start(command)
        self._kept.write_text(f"{self.pid}\n")
        self._child.wait_for(self._link)
        return str(self._link)

    def cut(self) -> None:
        self._child.kill()

    def stop(self) -> None:
        self._child.terminate()

    def _end_orphan(self) -> None:
        """End the program that a killed host left behind: it is the one that was started here, and has this flash."""
        try:
            pid = int(self._kept.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):  # none, or no Linux
            return
        if not self._child.running and str(self._flash).encode() in words:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
                time.sleep(POLL_S)


def _state(pid: int) -> str:
    """`Z` for one that has ended and is not yet collected, and where it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
