"""The lossy network itself: it delays, holds, throttles and cuts, and otherwise changes nothing."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from salus_chain.bench.network import free_ports
from tests.chain.system.proxy import FINE, NEEDS_PROC, Proxies, Weather

pytestmark = NEEDS_PROC
DIALLER, LISTENER = 0, 1


@asynccontextmanager
async def echo(proxies_port: int, port: int) -> AsyncIterator[tuple[Proxies, socket.socket]]:
    """An echoing server as seat 1, and this process, as seat 0, connected to it through its proxy."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    loop = asyncio.get_running_loop()
    with socket.socket() as end:
        end.setblocking(False)
        async with Proxies({LISTENER: (proxies_port, port)}, lambda: {DIALLER: os.getpid()}, 1) as proxies:
            await loop.sock_connect(end, ("127.0.0.1", proxies_port))
            yield proxies, end
    server.close()


async def exchange(end: socket.socket, data: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    sending = asyncio.create_task(loop.sock_sendall(end, data))
    back = b""
    while len(back) < len(data) and (more := await loop.sock_recv(end, 1 << 16)):
        back += more
    await sending
    return back


async def test_fine_weather_changes_nothing() -> None:
    data = os.urandom(1 << 20)
    async with echo(*free_ports(2)) as (_, end), asyncio.timeout(30):
        assert await exchange(end, data) == data


async def test_what_is_delayed_or_throttled_arrives_whole_and_later() -> None:
    data = os.urandom(100_000)
    async with echo(*free_ports(2)) as (proxies, end), asyncio.timeout(30):
        clock = asyncio.get_running_loop().time
        for weather, least_s in [(Weather(delay_s=0.1, jitter_s=0.05), 0.1), (Weather(bytes_per_s=500_000), 0.15)]:
            proxies.set(weather, [(DIALLER, LISTENER)])
            began_s = clock()
            assert await exchange(end, data) == data
            assert clock() - began_s >= least_s


@pytest.mark.parametrize("link", [(DIALLER, LISTENER), (LISTENER, DIALLER)])
async def test_silence_in_either_direction_holds_everything_until_it_ends(link: tuple[int, int]) -> None:
    async with echo(*free_ports(2)) as (proxies, end), asyncio.timeout(30):
        assert await exchange(end, b"before") == b"before"
        proxies.set(Weather(silent=True), [link])
        held = asyncio.create_task(exchange(end, b"during"))
        done, _ = await asyncio.wait([held], timeout=0.2)
        assert not done
        proxies.set(FINE)
        assert await held == b"during"


async def test_a_cut_loses_half_of_what_is_said_and_the_connection() -> None:
    async with echo(*free_ports(2)) as (proxies, end), asyncio.timeout(30):
        assert await exchange(end, b"before") == b"before"
        proxies.cut([(LISTENER, DIALLER)])
        with suppress(ConnectionError):
            assert len(await exchange(end, b"0123456789")) < 10
        assert proxies.cuts == 1


async def test_who_is_no_seat_is_not_let_through() -> None:
    proxied, port = free_ports(2)
    async with Proxies({LISTENER: (proxied, port)}, dict, 1), asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxied)
        with suppress(ConnectionError):
            assert await reader.read() == b""
        writer.close()
