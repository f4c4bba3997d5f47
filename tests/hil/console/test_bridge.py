"""The serial-to-MQTT bridge: packets of a device on a pty reach a real broker, and the broker's reach the device."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from salus_edge.link import Connection
from salus_edge.proto import console_pb2 as pb
from salus_hil.bridge import Bridge
from salus_hil.console import Console, frame_of
from salus_hil.rig.broker import Mosquitto, mosquitto_path
from tests.hil.console.device import PtyDevice

pytestmark = pytest.mark.skipif(mosquitto_path() is None, reason="needs mosquitto")

FEATURE, ACK, STATE = "salus/1/f/w1/feature", "salus/1/f/w1/ack", "salus/1/f/w1/state"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path)
    made.start()
    yield made
    made.stop()


class Wearable:
    """Publishes one packet when the link is up; answers requests but those that `loses` says are lost on the line."""

    def __init__(self, url: str) -> None:
        self.opening = pb.LinkOpen(url=url, client_id="w1", topics=[ACK], will_topic=STATE, will_payload=b"lost")
        self.loses: Callable[[pb.Frame], bool] = lambda _: False
        self.heard: list[pb.Frame] = []

    def answer(self, frame: pb.Frame) -> Iterable[pb.Frame]:
        if self.loses(frame):
            return
        self.heard.append(frame)
        if frame.HasField("bridge_start"):
            yield frame_of(self.opening, frame.request_id)
            return
        yield frame_of(_REPLIES.get(frame.WhichOneof("body") or "", pb.Done()), frame.request_id)
        if frame.link_state.up:
            yield frame_of(pb.Publish(id=7, topic=FEATURE, payload=b"sealed"), 0)

    async def hears(self, name: str) -> pb.Frame:
        while True:
            for frame in self.heard:
                if frame.WhichOneof("body") == name:
                    return frame
            await asyncio.sleep(0.01)


_REPLIES = {"hello": pb.HelloReply(), "status_request": pb.Status()}


@asynccontextmanager
async def bridged(
    wearable: Wearable, broker: Mosquitto
) -> AsyncIterator[tuple[Connection, asyncio.Queue[tuple[str, bytes]]]]:
    """The bridge at work, and a gateway's connection with what it hears."""
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def hear(topic: str, payload: bytes) -> None:
        heard.put_nowait((topic, payload))

    device = PtyDevice(wearable.answer)
    gateway = Connection(broker.local_url, "gateway", ["salus/#"])
    async with Console(device.url) as console, asyncio.timeout(15):
        listening = asyncio.create_task(gateway.run(hear))
        await gateway.connected.wait()
        bridging = asyncio.create_task(Bridge(console).run())
        try:
            yield gateway, heard
        finally:
            for task in (bridging, listening):
                task.cancel()
            await asyncio.gather(bridging, listening, return_exceptions=True)
    device.hang_up()


async def test_packets_go_both_ways(broker: Mosquitto) -> None:
    wearable = Wearable(broker.url)
    async with bridged(wearable, broker) as (gateway, heard):
        assert await heard.get() == (FEATURE, b"sealed")
        assert (await wearable.hears("publish_done")).publish_done.id == 7
        await gateway.publish(ACK, b"sealed ack")
        assert (await wearable.hears("deliver")).deliver == pb.Deliver(topic=ACK, payload=b"sealed ack")


async def test_a_confirmation_that_is_lost_on_the_line_is_said_again(
    broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("salus_hil.console.client.Console.do.__defaults__", (0.1, 3))
    wearable, lost = Wearable(broker.url), list[pb.Frame]()

    def loses_the_first(frame: pb.Frame) -> bool:
        if frame.HasField("publish_done") and not lost:
            lost.append(frame)
            return True
        return False

    wearable.loses = loses_the_first
    async with bridged(wearable, broker):
        assert await wearable.hears("publish_done") == lost[0]


async def test_a_wearable_that_falls_silent_is_lost_to_the_gateway(broker: Mosquitto) -> None:
    wearable = Wearable(broker.url)
    async with bridged(wearable, broker) as (_, heard):
        await wearable.hears("publish_done")
        wearable.loses = lambda _: True
        await heard.get()
        assert await heard.get() == (STATE, b"lost")
