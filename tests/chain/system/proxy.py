"""A lossy network between validators: TCP proxies that delay, throttle, hold and cut what goes between chosen pairs.

Each validator is dialled at its proxy. Everything is TLS, so a proxy only moves bytes or holds them. Who dials is
found in /proc: every process here has the same address. A link is a direction between two seats, whichever of them
dialled the connection.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final, TypeAlias

import pytest

NEEDS_PROC: Final = pytest.mark.skipif(sys.platform != "linux", reason="who dials a proxy is found in Linux's /proc")
CHUNK_BYTES: Final = 16 << 10
HELD_CHUNKS: Final = 64  # of one direction of a connection, before TCP slows the sender down

Link: TypeAlias = tuple[int, int]  # from seat, to seat


@dataclass(frozen=True, slots=True)
class Weather:
    """What befalls bytes in one direction. Each chunk takes `delay_s` and up to `jitter_s` more, in order."""

    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: float = 0.0  # 0: no limit
    silent: bool = False  # holds everything until the weather changes


FINE: Final = Weather()


class Proxies:
    """One proxy for each seat of `routes`: where it listens, and the port behind it. An asynchronous context."""

    def __init__(self, routes: Mapping[int, tuple[int, int]], pids: Callable[[], Mapping[int, int]], seed: int) -> None:
        """`pids` gives the process of each seat that runs now."""
        self.cuts = 0
        self._routes = dict(routes)
        self._pids = pids
        self._rng = Random(seed)
        self._everywhere = FINE
        self._weather: dict[Link, Weather] = {}
        self._changed = asyncio.Event()
        self._servers: list[asyncio.Server] = []
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Proxies:
        for seat, (port, _) in self._routes.items():
            serve = self._server(seat)
            self._servers.append(await asyncio.start_server(serve, "127.0.0.1", port, limit=CHUNK_BYTES))
        return self

    async def __aexit__(self, *reason: object) -> None:
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def weather(self, link: Link) -> Weather:
        return self._weather.get(link, self._everywhere)

    def set(self, weather: Weather, links: Iterable[Link] | None = None) -> None:
        """From now on; without links on all, whatever they had before."""
        if links is None:
            self._everywhere = weather
            self._weather.clear()
        else:
            self._weather |= dict.fromkeys(links, weather)
        self._changed.set()
        self._changed = asyncio.Event()

    def links(self) -> list[Link]:
        return [(one, other) for one in self._routes for other in self._routes if one != other]

    def between(self, some: Iterable[int], others: Iterable[int]) -> list[Link]:
        """The links in both directions between two groups."""
        pairs = [(one, other) for one in some for other in others if one != other]
        return pairs + [(other, one) for one, other in pairs]

    def cut(self, links: Iterable[Link]) -> None:
        """Break these links' connections in the middle of what they say next."""
        wanted = set(links)
        for connection in self._connections:
            if connection.link in wanted or connection.link[::-1] in wanted:
                connection.doomed = True

    def _server(self, seat: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._carry(seat, reader, writer), name=f"proxy of {seat}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return accept

    async def _carry(self, seat: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection from its dialling to its end."""
        far = writer
        connection: _Connection | None = None
        try:
            dialler = _seat_of(int(writer.get_extra_info("peername")[1]), self._pids())
            if dialler is None:
                return
            behind, far = await asyncio.open_connection("127.0.0.1", self._routes[seat][1], limit=CHUNK_BYTES)
            connection = _Connection((dialler, seat))
            self._connections.add(connection)
            there = self._pump(connection, connection.link, reader, far)
            back = self._pump(connection, connection.link[::-1], behind, writer)
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(there)
                pumps.create_task(back)
        except* (OSError, EOFError):
            pass
        finally:
            if connection is not None:
                self._connections.discard(connection)
            for end in (writer, far):
                end.transport.abort()

    async def _pump(
        self, connection: _Connection, link: Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        """One direction. Raises EOFError at its end."""
        held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD_CHUNKS)
        reading = asyncio.create_task(self._hold(link, source, held))
        try:
            while True:
                due_s, data = await held.get()
                await self._wait(link, due_s)
                if connection.doomed and data:
                    self.cuts += 1
                    sink.write(data[: len(data) // 2])
                    with suppress(OSError):
                        await sink.drain()
                    raise EOFError("cut")
                if not data:
                    raise EOFError("closed")
                sink.write(data)
                await sink.drain()
                if rate := self.weather(link).bytes_per_s:
                    await asyncio.sleep(len(data) / rate)
        finally:
            reading.cancel()

    async def _hold(self, link: Link, source: asyncio.StreamReader, held: asyncio.Queue[tuple[float, bytes]]) -> None:
        """Take bytes in with the time at which each may leave; empty ones say that no more come."""
        loop = asyncio.get_running_loop()
        due_s = 0.0
        data = b"-"
        while data:
            try:
                data = await source.read(CHUNK_BYTES)
            except OSError:
                data = b""
            weather = self.weather(link)
            due_s = max(due_s, loop.time() + weather.delay_s + self._rng.uniform(0, weather.jitter_s))
            await held.put((due_s, data))

    async def _wait(self, link: Link, due_s: float) -> None:
        while self.weather(link).silent:
            await self._changed.wait()
        wait_s = due_s - asyncio.get_running_loop().time()
        if wait_s > 0:
            await asyncio.sleep(wait_s)


class _Connection:
    """A connection that a proxy carries, from the seat that dialled."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.doomed = False


def _seat_of(port: int, pids: Mapping[int, int]) -> int | None:
    """The seat whose process holds the local end of a connection from this port of 127.0.0.1."""
    inode = _inode(port)
    if inode is None:
        return None
    wanted = f"socket:[{inode}]"
    for seat, pid in pids.items():
        with suppress(OSError):
            if any(_target(each) == wanted for each in Path(f"/proc/{pid}/fd").iterdir()):
                return seat
    return None


def _target(descriptor: Path) -> str:
    try:
        return str(descriptor.readlink())
    except OSError:  # closed since it was listed
        return ""


def _inode(port: int) -> str | None:
    """Of the socket whose local end is this port; columns as in proc(5)."""
    local = f"0100007F:{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[1] == local and columns[9] != "0":
            return columns[9]
    return None
