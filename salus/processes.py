"""The demo's processes: started by name, logged to a file each, watched, and always ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from salus.errors import DemoError

STOP_TIMEOUT_S: Final = 5.0
POLL_S: Final = 0.05
ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


def salus_command(*arguments: str) -> list[str]:
    """The command line of `salus …` under this very interpreter."""
    return [sys.executable, "-m", "salus", *arguments]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


@dataclass(slots=True)
class Child:
    """One running process and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self, lines: int = 8) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@dataclass
class Processes:
    """Starts processes and, as a context manager, ends every one of them."""

    logs: Path
    children: dict[str, Child] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop(*reversed(self.children))

    def start(self, name: str, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Child:
        """Start `command`; its standard output and error go to `logs/<name>.log`."""
        log = self.logs / f"{name}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(
                command,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **ONE_THREAD, **(environment or {})},
            )
        self.children[name] = Child(name, process, log)
        return self.children[name]

    def stop(self, *names: str) -> None:
        """Ask with SIGTERM, wait, then SIGKILL what is left."""
        chosen = [self.children.pop(name) for name in names]
        for child in chosen:
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        for child in chosen:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()

    def check(self) -> None:
        """Raise DemoError when a process ended by itself with an error."""
        for child in self.children.values():
            code = child.process.poll()
            if code not in (None, 0):
                raise DemoError(f"{child.name} ended with exit code {code}; its log {child.log} ends:\n{child.tail()}")

    def wait_until(self, ready: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Poll `ready` while watching all processes. Raises DemoError when one dies or time is up."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            self.check()
            if time.monotonic() > deadline:
                raise DemoError(f"{what} took longer than {timeout_s:.0f} s; the logs are in {self.logs}")
            time.sleep(POLL_S)

    def wait_exit(self, name: str, timeout_s: float) -> None:
        """Wait until `name` ends by itself. Raises DemoError when it or another fails, or time is up."""
        child = self.children[name]
        self.wait_until(lambda: child.process.poll() is not None, f"{name} (to finish)", timeout_s)
        self.check()


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((host, port)) == 0
