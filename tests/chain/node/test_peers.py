from __future__ import annotations

import asyncio
from random import Random

import pytest

from salus_chain.errors import ConfigError
from salus_chain.node.peers import Peers, require_loopback, split_address
from salus_chain.node.wire import Frame, Get, Tx
from tests.chain.ports import free_ports

CHAIN = bytes([4]) * 32


class Heard:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, Frame]] = []
        self.seats: list[int] = []
        self.news = asyncio.Event()

    def received(self, seat: int, frame: Frame) -> None:
        self.frames.append((seat, frame))
        self.news.set()

    def connected(self, seat: int) -> None:
        self.seats.append(seat)
        self.news.set()


async def until(heard: Heard, condition: object) -> None:
    async with asyncio.timeout(5):
        while not condition():  # type: ignore[operator]
            heard.news.clear()
            await heard.news.wait()


def addresses(n: int) -> list[str]:
    return [f"127.0.0.1:{port}" for port in free_ports(n)]


async def test_frames_arrive_in_order_with_their_sender() -> None:
    places, heard = addresses(3), [Heard() for _ in range(3)]
    peers = [Peers(CHAIN, seat, places, heard[seat], Random(seat)) for seat in range(3)]
    running = [asyncio.create_task(each.run()) for each in peers]
    await until(heard[0], lambda: sorted(heard[0].seats) == [1, 2])
    for height in range(50):
        peers[0].send(None, Get(height, 0))
    peers[0].send(2, Tx(b"for two alone"))
    await until(heard[2], lambda: len(heard[2].frames) == 51)
    await until(heard[1], lambda: len(heard[1].frames) == 50)
    assert heard[1].frames == [(0, Get(height, 0)) for height in range(50)]
    assert heard[2].frames[-1] == (0, Tx(b"for two alone"))
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_a_peer_that_went_away_is_dialled_again() -> None:
    places, heard = addresses(2), [Heard() for _ in range(3)]
    peers = Peers(CHAIN, 0, places, heard[0], Random(0))
    running = asyncio.create_task(peers.run())
    for life in (1, 2):
        other = asyncio.create_task(Peers(CHAIN, 1, places, heard[life], Random(1)).run())
        await until(heard[0], lambda life=life: len(heard[0].seats) == life)
        peers.send(1, Get(life, 0))
        await until(heard[life], lambda life=life: (0, Get(life, 0)) in heard[life].frames)
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        async with asyncio.timeout(5):
            while peers.reachable:
                await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.mark.parametrize(
    "junk",
    [b"\xff\xff\xff\xff", b"\0\0\0\x01\x00", b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x02\x82\x00"],
)
async def test_a_stranger_is_cut_off_and_heard_by_nobody(junk: bytes) -> None:
    places, heard = addresses(2), Heard()
    running = asyncio.create_task(Peers(CHAIN, 0, places, heard, Random(0)).run())
    await asyncio.sleep(0.05)
    reader, writer = await asyncio.open_connection(*split_address(places[0]))
    writer.write(junk)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()
    assert not heard.frames
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_node_of_another_chain_is_not_heard() -> None:
    places, heard, other = addresses(2), Heard(), Heard()
    running = [
        asyncio.create_task(Peers(CHAIN, 0, places, heard, Random(0)).run()),
        asyncio.create_task(Peers(bytes(32), 1, places, other, Random(1)).run()),
    ]
    await until(other, lambda: other.seats)
    await asyncio.sleep(0.1)
    assert not heard.frames
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def test_a_fault_of_the_listener_ends_the_node() -> None:
    class Faulty(Heard):
        def received(self, seat: int, frame: Frame) -> None:
            raise RuntimeError("state is broken")

    places, other = addresses(2), Heard()
    running = asyncio.create_task(Peers(CHAIN, 0, places, Faulty(), Random(0)).run())
    speaker = Peers(CHAIN, 1, places, other, Random(1))
    speaking = asyncio.create_task(speaker.run())
    await until(other, lambda: other.seats)
    speaker.send(0, Get(1, 0))
    with pytest.raises(ExceptionGroup) as fault:
        async with asyncio.timeout(5):
            await running
    assert fault.group_contains(RuntimeError, match="state is broken")
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "example.org", "::"])
def test_only_loopback_is_listened_on_until_there_is_tls(host: str) -> None:
    with pytest.raises(ConfigError, match="no TLS yet"):
        require_loopback(host, "peer")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_loopback_is_allowed(host: str) -> None:
    require_loopback(host, "peer")


@pytest.mark.parametrize("address", ["", "host", "host:", ":1", "host:0", "host:99999", "host:x"])
def test_an_address_needs_host_and_port(address: str) -> None:
    with pytest.raises(ConfigError, match="host:port"):
        split_address(address)
