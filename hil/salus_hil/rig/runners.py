"""What starts a rig's wearable and cuts its power: a process, an emulator, or somebody else's board.

A `start` after a `cut` finds flash as it was: what had been written when the power went.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final, Protocol

from salus_hil.errors import ConfigError, RigError
from salus_hil.rig.power import run_command
from salus_hil.rig.qmp import Qmp
from salus_hil.rig.rigfile import Entry, RigWearable

START_TIMEOUT_S: Final = 10.0
STOP_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.005


class Runner(Protocol):
    """One wearable's power switch."""

    @property
    def running(self) -> bool:
        """Whether it has power, as far as this side can know."""
        ...

    @property
    def flash(self) -> list[Path]:
        """The files that are its flash; none where it is on a board."""
        ...

    def start(self) -> str:
        """Give power; the serial port's name or URL. Raises RigError: it does not come up."""
        ...

    def cut(self) -> None:
        """Take the power away, at once."""
        ...

    def stop(self) -> None:
        """End in good order, as far as it can."""
        ...


def make_runner(wearable: RigWearable, folder: Path) -> Runner:
    """The runner of an entry; `folder` holds its flash and its logs. Raises ConfigError: no program there."""
    if wearable.entry.runner == "board":
        return BoardRunner(wearable.entry)
    program = wearable.program
    if program is None or not program.is_file():
        raise ConfigError(f"{wearable.id}: no program at {program}; build it with scripts/firmware build")
    return NativeRunner(program, folder) if wearable.entry.runner == "native" else QemuRunner(program, folder)


class _Child:
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


class NativeRunner:
    """The host program: flash in `folder`/flash, the serial port a pty that it links at `folder`/serial."""

    def __init__(self, program: Path, folder: Path, arguments: tuple[str, ...] = ()) -> None:
        self._program, self._arguments = program, arguments
        self._flash, self._link, self._kept = folder / "flash", folder / "serial", folder / "program.pid"
        self._child = _Child(folder, "program")

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


class QemuRunner:
    """QEMU's mps2-an386: the flash a file that outlives the emulator, UART0 a pty, halted until someone listens."""

    MACHINE: Final = "mps2-an386"
    MEMORY_BYTES: Final = 16 << 20
    SEED_OFFSET: Final = 4096  # firmware/src/qemu_m4/board_flash.h: this machine has no generator of its own
    SEED_BYTES: Final = 32

    def __init__(self, program: Path, folder: Path) -> None:
        if shutil.which("qemu-system-arm") is None:
            raise ConfigError("qemu-system-arm is not installed: apt install qemu-system-arm")
        self._program, self._folder = program, folder
        self._flash, self._qmp_path = folder / "flash.bin", folder / "qmp"
        self._child = _Child(folder, "qemu")
        self._qmp: Qmp | None = None

    @property
    def running(self) -> bool:
        return self._child.running

    @property
    def flash(self) -> list[Path]:
        return [self._flash]

    def start(self) -> str:
        """Boots only once the caller could open the port: see `go`."""
        self._make_flash()
        self._qmp_path.unlink(missing_ok=True)
        self._child.start(self._command())
        self._child.wait_for(self._qmp_path)
        self._qmp = Qmp.connect(self._qmp_path)
        return self._qmp.serial_port("serial0")

    def go(self) -> None:
        """Let it run: no byte that it says is lost, when the port was opened before."""
        if self._qmp is not None:
            self._qmp.command("cont")

    def cut(self) -> None:
        """Stop between two instructions, and end there: the flash's file holds what had been stored by then."""
        self._quit()
        self._child.kill()

    def stop(self) -> None:
        self._quit()
        self._child.terminate()

    def _quit(self) -> None:
        if self._qmp is not None:
            self._qmp.quit()
            self._qmp = None

    def _make_flash(self) -> None:
        if self._flash.exists():
            return
        with self._flash.open("wb") as file:
            file.truncate(self.MEMORY_BYTES)
            file.seek(self.SEED_OFFSET)
            file.write(secrets.token_bytes(self.SEED_BYTES))

    def _command(self) -> list[str]:
        memory = f"memory-backend-file,id=psram,mem-path={self._flash},size={self.MEMORY_BYTES},share=on"
        return [
            "qemu-system-arm",
            *("-M", f"{self.MACHINE},memory-backend=psram", "-m", f"{self.MEMORY_BYTES >> 20}M"),
            *("-object", memory),
            *("-kernel", str(self._program)),
            *("-display", "none", "-monitor", "none", "-S", "-serial", "pty"),
            *("-qmp", f"unix:{self._qmp_path},server=on,wait=off"),
        ]


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
        entry, deadline = self._entry, time.monotonic() + START_TIMEOUT_S
        if not entry.serial.startswith("/"):
            return
        while not Path(entry.serial).exists():
            if time.monotonic() > deadline:
                raise RigError(f"{entry.id}: no {entry.serial} after {START_TIMEOUT_S:.0f} s; is the board plugged in?")
            time.sleep(0.05)
