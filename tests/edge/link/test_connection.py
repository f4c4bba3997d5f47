"""One lasting connection to a real broker: it comes back by itself, and what was queued meanwhile comes too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from salus_edge.link import Connection, NotConnected, Will
from tests.hil.rig import Mosquitto

pytestmark = pytest.mark.skipif(Mosquitto.path() is None, reason="mosquitto is not installed")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.stop()


@asynccontextmanager
async def up(connection: Connection, got: list[tuple[str, bytes]]) -> AsyncIterator[None]:
    async def handle(topic: str, payload: bytes) -> None:
        got.append((topic, payload))

    task = asyncio.create_task(connection.run(handle))
    try:
        async with asyncio.timeout(10):
            await connection.connected.wait()
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(got: list[tuple[str, bytes]], count: int) -> None:
    async with asyncio.timeout(10):
        while len(got) < count:
            await asyncio.sleep(0.01)


async def test_publish_before_any_connection_says_so() -> None:
    with pytest.raises(NotConnected, match="no connection"):
        await Connection("mqtt://127.0.0.1:1", "c", []).publish("a", b"")


async def test_it_comes_back_after_the_broker_did_and_calls_on_connect(broker: Mosquitto) -> None:
    calls: list[int] = []
    got: list[tuple[str, bytes]] = []

    async def on_connect() -> None:
        calls.append(1)

    url = f"mqtt://127.0.0.1:{broker.port}"
    connection = Connection(url, "c", ["a"], on_connect=on_connect)
    async with up(connection, got):
        await connection.publish("a", b"1")
        await until(got, 1)
        broker.stop()
        async with asyncio.timeout(10):
            while connection.connected.is_set():
                await asyncio.sleep(0.01)
        with pytest.raises(NotConnected):
            await connection.publish("a", b"lost")
        broker.start()
        async with asyncio.timeout(10):
            await connection.connected.wait()
        await connection.publish("a", b"2")
        await until(got, 2)
    assert [payload for _, payload in got] == [b"1", b"2"] and len(calls) == 2


async def test_the_session_keeps_what_came_while_away(broker: Mosquitto) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}"
    got: list[tuple[str, bytes]] = []
    async with up(Connection(url, "reader", ["a/+"]), got):
        pass
    writer = Connection(url, "writer", [])
    async with up(writer, []):
        for number in range(20):
            await writer.publish(f"a/{number}", b"x")
    async with up(Connection(url, "reader", ["a/+"]), got):
        await until(got, 20)
    assert [topic for topic, _ in got] == [f"a/{number}" for number in range(20)]


async def test_a_clean_goodbye_leaves_no_will_and_a_retained_state_stays(broker: Mosquitto) -> None:
    url = f"mqtt://127.0.0.1:{broker.port}"
    got: list[tuple[str, bytes]] = []
    wearable = Connection(url, "w", [], will=Will("s", b"lost"))
    async with up(wearable, []):
        await wearable.publish("s", b"leaving", retain=True)
    async with up(Connection(url, "reader", ["s"]), got):
        await until(got, 1)
    assert got == [("s", b"leaving")]
