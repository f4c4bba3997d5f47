"""Ports elsewhere: `socket://` and `rfc2217://`. Behind them is a loop, which answers an Echo as devices do."""

from __future__ import annotations

import asyncio
import select
import socket
import threading
from collections.abc import Iterator

import pytest
import serial
import serial.rfc2217

from salus_hil.console import Console
from salus_hil.errors import PortError

DATA = bytes(range(256)) * 20  # with Telnet's IAC, 0xFF, in it


async def test_a_socket() -> None:
    async def loop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(loop, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Console(f"socket://127.0.0.1:{port}") as console:
        assert await console.echo(DATA) == DATA


async def test_a_socket_that_the_other_side_closes() -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(close, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, Console(f"socket://127.0.0.1:{port}") as console:
        with pytest.raises(PortError, match=r"gone|not open"):
            await console.echo(DATA)


class _Server:
    """An RFC 2217 server in front of a looped port, for one client. `lines` notes DTR and RTS as they change."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._listening.getsockname()[1]}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self.lines: list[tuple[bool, bool]] = []

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        self._listening.close()

    def _serve(self) -> None:
        while not select.select([self._listening], [], [], 0.02)[0]:
            if self._ended.is_set():
                return
        connection, _ = self._listening.accept()
        with connection, serial.serial_for_url("loop://", timeout=0) as port:
            manager = serial.rfc2217.PortManager(port, _Sender(connection))
            while not self._ended.is_set():
                if select.select([connection], [], [], 0.005)[0]:
                    if not (data := connection.recv(4096)):
                        return
                    port.write(b"".join(manager.filter(data)))
                connection.sendall(b"".join(manager.escape(port.read(port.in_waiting))))
                if (lines := (port.dtr, port.rts)) not in self.lines[-1:]:
                    self.lines.append(lines)


class _Sender:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)


@pytest.fixture
def server() -> Iterator[_Server]:
    server = _Server()
    yield server
    server.end()


async def test_rfc2217(server: _Server) -> None:
    async with Console(server.url) as console:
        assert await console.echo(DATA) == DATA
        assert await console.echo(b"again") == b"again"
    assert server.lines == [(True, True)]  # neither was ever changed


async def test_an_rfc2217_server_that_goes_away(server: _Server) -> None:
    async with Console(server.url) as console:
        await console.echo(b"there")
        await asyncio.to_thread(server.end)
        async with asyncio.timeout(10):
            with pytest.raises(PortError):
                while True:
                    await console.echo(b"still?")


@pytest.mark.parametrize("url", ["socket://127.0.0.1:1", "rfc2217://127.0.0.1:1", "gopher://127.0.0.1", "socket://"])
async def test_what_does_not_open_is_named(url: str) -> None:
    with pytest.raises(PortError, match=f"port {url} does not open"):
        await Console(url).open()
