"""The connection over a real broker that is frozen, killed and started again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiomqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from salus_edge.link.connection import Connection, NotConnected
from salus_hil.rig.broker import Mosquitto, mosquitto_path

pytestmark = pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")
PATIENCE_S = 15.0
LOST = """
import asyncio, sys
from salus_edge.link.connection import Connection, Will

async def greet():
    print("up", flush=True)

asyncio.run(Connection(sys.argv[1], "lost", [], Will("state", b"lost"), greet).run(None))
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    started = Mosquitto(tmp_path / "broker")
    started.start()
    yield started
    started.kill()


class Inbox:
    """What arrived, and a wait for so many."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, bytes]] = []
        self._arrived = asyncio.Condition()

    async def take(self, topic: str, payload: bytes) -> None:
        async with self._arrived:
            self.messages.append((topic, payload))
            self._arrived.notify_all()

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S), self._arrived:
            await self._arrived.wait_for(holds)


@asynccontextmanager
async def running(
    connection: Connection, handle: Callable[[str, bytes], Awaitable[None]]
) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(connection.run(handle))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await connection.connected.wait()
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_down(connection: Connection) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while connection.connected.is_set():
            await asyncio.sleep(0.01)


async def test_what_is_published_arrives_in_order(broker: Mosquitto) -> None:
    inbox = Inbox()
    connection = Connection(broker.url, "one", ["a/+"])
    async with running(connection, inbox.take):
        for number in range(20):
            await connection.publish("a/b", b"%d" % number)
        await inbox.until(lambda: len(inbox.messages) == 20)
    assert inbox.messages == [("a/b", b"%d" % number) for number in range(20)]


async def test_without_a_connection_nothing_is_published(broker: Mosquitto) -> None:
    with pytest.raises(NotConnected):
        await Connection(broker.url, "one", []).publish("a", b"x")


async def test_a_publish_ends_when_the_broker_dies_before_it_confirms(broker: Mosquitto) -> None:
    connection = Connection(broker.url, "one", ["a"])
    async with running(connection, Inbox().take):
        broker.freeze()
        publishing = asyncio.create_task(connection.publish("a", b"x"))
        await asyncio.sleep(0.2)
        assert not publishing.done()
        begin = time.monotonic()
        broker.kill()
        with pytest.raises(NotConnected):
            await publishing
        assert time.monotonic() - begin < 5.0


async def test_cancelling_a_publish_is_no_lost_connection(broker: Mosquitto) -> None:
    connection = Connection(broker.url, "one", ["a"])
    async with running(connection, Inbox().take):
        broker.freeze()
        publishing = asyncio.create_task(connection.publish("a", b"x"))
        await asyncio.sleep(0.1)
        publishing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await publishing


async def test_stopping_while_a_publish_waits_stops(broker: Mosquitto) -> None:
    """Both the run and the publisher are cancelled at once, as when a process ends."""
    connection = Connection(broker.url, "one", ["a"])

    async def publish_for_ever() -> None:
        while True:
            with suppress(NotConnected):
                await connection.publish("a", b"x")

    async with running(connection, Inbox().take) as task:
        broker.freeze()
        publishing = asyncio.create_task(publish_for_ever())
        await asyncio.sleep(0.1)
        task.cancel()
        publishing.cancel()
        done, _ = await asyncio.wait({publishing}, timeout=5.0)
        assert done
    broker.kill()


async def test_it_comes_back_after_a_restart_and_gets_what_was_queued(broker: Mosquitto) -> None:
    inbox, greetings = Inbox(), []

    async def greet() -> None:
        greetings.append(time.monotonic())

    away = Connection(broker.url, "away", ["a"])
    async with running(away, inbox.take):
        pass  # its session stays at the broker
    speaker = Connection(broker.url, "speaker", [], on_connect=greet)
    async with running(speaker, inbox.take):
        await speaker.publish("a", b"while away")
        broker.stop()
        await until_down(speaker)
        broker.start()
        async with asyncio.timeout(PATIENCE_S):
            await speaker.connected.wait()
        async with running(away, inbox.take):
            await speaker.publish("a", b"after the restart")
            await inbox.until(
                lambda: {payload for _, payload in inbox.messages} >= {b"while away", b"after the restart"}
            )
    assert len(greetings) == 2


async def test_the_will_is_said_when_a_client_is_lost(broker: Mosquitto) -> None:
    inbox = Inbox()
    async with running(Connection(broker.url, "watcher", ["state"]), inbox.take):
        lost = subprocess.Popen([sys.executable, "-c", LOST, broker.url], stdout=subprocess.PIPE)
        assert lost.stdout is not None
        await asyncio.to_thread(lost.stdout.readline)  # it is connected
        lost.kill()
        await asyncio.to_thread(lost.wait)
        await inbox.until(lambda: ("state", b"lost") in inbox.messages)


async def test_an_error_of_a_handler_ends_the_run(broker: Mosquitto) -> None:
    async def fail(topic: str, payload: bytes) -> None:
        raise RuntimeError("the store is full")

    connection = Connection(broker.url, "one", ["a"])
    async with running(connection, fail) as task:
        with suppress(NotConnected):  # the run may end before the broker confirms
            await connection.publish("a", b"x")
        with pytest.raises(RuntimeError, match="store is full"):
            await asyncio.wait_for(task, PATIENCE_S)


async def test_an_error_while_greeting_ends_the_run(broker: Mosquitto) -> None:
    async def fail() -> None:
        raise RuntimeError("no state to send")

    connection = Connection(broker.url, "one", ["a"], on_connect=fail)
    async with running(connection, Inbox().take) as task:
        with pytest.raises(RuntimeError, match="no state"):
            await asyncio.wait_for(task, PATIENCE_S)


async def test_a_forbidden_subscription_is_not_taken_for_a_connection(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def subscribe(_: aiomqtt.Client, topics: list[tuple[str, int]]) -> list[ReasonCode]:
        return [ReasonCode(PacketTypes.SUBACK, identifier=0x80 if name == "other/a" else 1) for name, _ in topics]

    monkeypatch.setattr(aiomqtt.Client, "subscribe", subscribe)
    connection = Connection(broker.url, "one", ["mine/a", "other/a"])
    task = asyncio.create_task(connection.run(Inbox().take))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connection.connected.wait(), 1.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
