"""A federation of validator processes on this machine, to measure and to break."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from salus_chain.client import ChainClient
from salus_chain.errors import ChainError, Unreachable
from salus_chain.founding import Founded, init_chain
from salus_chain.genesis import Policy
from salus_chain.node.validator import ConsentSeat, GatewaySeat

START_TIMEOUT_S: Final = 120.0
STOP_TIMEOUT_S: Final = 5.0
LOWEST_PORT: Final = 16_384
EPHEMERAL_PORT: Final = 32_768  # the first that Linux gives to outgoing connections; others begin later


class LocalNetwork:
    """Validators by seat, as a context manager that ends every process."""

    def __init__(
        self,
        folder: Path,
        validators: int = 4,
        *,
        policy: Policy | None = None,
        tasks: Sequence[str] = ("*",),
        gateways: Mapping[int, Sequence[GatewaySeat]] | None = None,
        consents: Mapping[int, Sequence[ConsentSeat]] | None = None,
        test: bool = False,
    ) -> None:
        self.folder = folder
        self.founded: Founded = init_chain(
            folder / "federation",
            validators=validators,
            ports=free_ports(2 * validators),
            policy=policy,
            tasks=tasks,
            gateways=gateways,
            consents=consents,
            test=test,
        )
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def seats(self) -> range:
        return range(len(self.founded.validators))

    def url(self, seat: int) -> str:
        return self.founded.genesis.validators[seat].url

    def client(self, *seats: int, timeout_s: float = 10.0) -> ChainClient:
        """A client of these validators, of all when none is named."""
        return ChainClient(self.founded.genesis, [self.url(seat) for seat in seats or self.seats], timeout_s=timeout_s)

    def start(self, seat: int, command: Sequence[str] = ("-m", "salus_chain", "run")) -> None:
        self._start(seat, command, self.founded.validators[seat])

    def add(self, config: Path) -> int:
        """Start a node that is not of the genesis; the number to kill it by."""
        number = max(len(self.seats), *(seat + 1 for seat in self.processes))
        self._start(number, ("-m", "salus_chain", "run"), config)
        return number

    def _start(self, number: int, command: Sequence[str], config: Path) -> None:
        with (self.folder / f"validator-{number}.log").open("ab") as log:
            self.processes[number] = subprocess.Popen(
                [sys.executable, *command, str(config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )

    def kill(self, seat: int) -> None:
        """As the power going: no time for anything."""
        process = self.processes.pop(seat)
        process.kill()
        process.wait()

    def pause(self, seat: int) -> None:
        self.processes[seat].send_signal(signal.SIGSTOP)

    def go_on(self, seat: int) -> None:
        self.processes[seat].send_signal(signal.SIGCONT)

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(self.folder.glob("*.log")))

    async def ready(self, *seats: int, height: int = 0) -> None:
        """Until these validators, all by default, answer and have this height. Raises Unreachable."""
        deadline = time.monotonic() + START_TIMEOUT_S
        for seat in seats or self.seats:
            async with self.client(seat, timeout_s=2.0) as client:
                while not await _has(client, height):
                    if time.monotonic() > deadline:
                        raise Unreachable(f"validator {seat} is not at height {height} after {START_TIMEOUT_S:g} s")
                    await asyncio.sleep(0.02)

    def __enter__(self) -> Self:
        for seat in self.seats:
            self.start(seat)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


async def _has(client: ChainClient, height: int) -> bool:
    try:
        return await client.height() >= height
    except ChainError:
        return False


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now, all different.

    They are below those that systems give to outgoing connections: a validator that is down finds its port free when
    it comes back.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = LOWEST_PORT + secrets.randbelow(EPHEMERAL_PORT - LOWEST_PORT)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports.add(port)
    return list(ports)
