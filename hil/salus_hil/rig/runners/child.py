"""A process whose output goes to a log, and which the power switch ends."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Final

from salus_hil.errors import RigError

START_TIMEOUT_S: Final = 10.0
STOP_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.005


class Child:
    """A process whose output goes to a log, and which the power switch ends."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RigError(f"{self.log}: the program does not run")
        return self._process.pid

    def start(self, command: list[str]) -> None:
        self.kill()
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def terminate(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def wait_for(self, path: Path) -> None:
        """Until the process has made `path`. Raises RigError when it ends before, or takes too long."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not path.exists():
            if not self.running:
                code = self._process.returncode if self._process else None
                raise RigError(f"{self.log}: the program ended with {code} before it was there; {self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise RigError(f"{self.log}: no {path} after {START_TIMEOUT_S:.0f} s; {self.tail()}")
            time.sleep(POLL_S)

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-5:]
        return "it said: " + " | ".join(lines) if lines else "it said nothing"
