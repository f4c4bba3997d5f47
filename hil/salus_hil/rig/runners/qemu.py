"""The firmware on an emulated Cortex-M4."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path
from typing import Final

from salus_hil.errors import ConfigError
from salus_hil.rig.qmp import Qmp
from salus_hil.rig.runners.child import Child


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
        self._child = Child(folder, "qemu")
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
