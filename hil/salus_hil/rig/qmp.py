"""QEMU's machine protocol over its Unix socket: JSON lines, one answer a command, events between them."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from pathlib import Path
from typing import Final, Self

from salus_hil.errors import RigError

TIMEOUT_S: Final = 10.0
_PTY: Final = re.compile(r"pty:(\S+)")

Json = dict[str, object]


class Qmp:
    """One connection to one emulator."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")

    @classmethod
    def connect(cls, path: Path) -> Self:
        """Raises RigError: nobody answers there, or it is no QMP."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(TIMEOUT_S)
            try:
                connection.connect(str(path))
                break
            except OSError as error:
                connection.close()
                if time.monotonic() > deadline:
                    raise RigError(f"{path}: QEMU does not answer ({error})") from None
                time.sleep(0.01)
        made = cls(connection)
        if "QMP" not in made._line():
            raise RigError(f"{path}: not QEMU's machine protocol")
        made.command("qmp_capabilities")
        return made

    def command(self, name: str, **arguments: object) -> object:
        """What it returns. Raises RigError: it refuses, or is gone."""
        message: Json = {"execute": name, **({"arguments": arguments} if arguments else {})}
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError as error:
            raise RigError(f"QEMU is gone ({error})") from None
        while True:
            answer = self._line()
            if "error" in answer:
                raise RigError(f"QEMU refuses {name}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def serial_port(self, label: str) -> str:
        """The pty of a character device."""
        devices = self.command("query-chardev")
        for device in devices if isinstance(devices, list) else []:
            if device.get("label") == label and (found := _PTY.match(str(device.get("filename")))):
                return found[1]
        raise RigError(f"QEMU has no pty called {label}: {devices}")

    def quit(self) -> None:
        """End the emulator; it may be gone before it answers."""
        with contextlib.suppress(RigError):
            self.command("quit")
        self.close()

    def close(self) -> None:
        self._lines.close()
        self._connection.close()

    def _line(self) -> Json:
        try:
            line = self._lines.readline()
        except OSError as error:
            raise RigError(f"QEMU says nothing ({error})") from None
        if not line:
            raise RigError("QEMU is gone")
        answer: Json = json.loads(line)
        return answer
