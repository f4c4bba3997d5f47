"""The serial-to-MQTT bridge: carries the packets of a wearable without a network of its own to its broker and back.

It sees sealed packets only. A wearable that is reset or falls silent is gone for the broker, too: its will is said.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

import structlog

from salus_chain.errors import first_of
from salus_edge.link import Connection, NotConnected, Will
from salus_edge.proto import console_pb2 as pb
from salus_hil.console import Console
from salus_hil.errors import CommandFailed, PortError, Silent

WATCH_S: Final = 1.0  # between two looks at whether the wearable is still there, and the same one
BUSY_S: Final = 0.02
BUSY_TRIES: Final = 250
PUBLISHING: Final = 64  # under way at once
GOODBYE_S: Final = 2.0

log = structlog.get_logger(__name__)


class Bridge:
    """One wearable's. `broker` replaces the URL that the wearable was given: it may hold a password, or a tunnel."""

    def __init__(self, console: Console, broker: str = "") -> None:
        self._console, self._broker = console, broker
        self._frames: asyncio.Queue[pb.Frame] = asyncio.Queue(1024)
        self._connection: Connection | None = None
        self._opening: pb.LinkOpen | None = None
        self._running: asyncio.Task[None] | None = None
        self._publishing: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(PUBLISHING)

    async def run(self) -> None:
        """Carry until cancelled, over resets and silences. Raises ConfigError when there is no such broker URL."""
        while True:
            try:
                await self._console.wait_ready()
                await self._carry()
            except (PortError, Silent, CommandFailed) as error:
                log.info("wearable_away", port=self._console.url, why=str(error))
            finally:
                await self._say_will()
                await self._disconnect()

    async def _carry(self) -> None:
        """Until the wearable is reset or gone."""
        unlisten = self._console.listen(self._heard)
        try:
            begun = await self._console.status()
            answer = await self._console.request(pb.BridgeStart())
            if answer.WhichOneof("body") == "link_open":
                self._heard(answer)
            async with asyncio.TaskGroup() as group:
                carrying = group.create_task(self._act(), name=f"bridge {self._console.url}")
                await self._watch(begun)
                carrying.cancel()
        except BaseExceptionGroup as group_error:
            raise first_of(group_error, (PortError, Silent, CommandFailed)) from None
        finally:
            unlisten()
            while not self._frames.empty():
                self._frames.get_nowait()

    async def _watch(self, before: pb.Status) -> None:
        """Returns when the wearable has started anew: its boots count the starts, once it is enrolled."""
        while True:
            await asyncio.sleep(WATCH_S)
            now = await self._console.status()
            if now.uptime_ms < before.uptime_ms or (before.boot and now.boot != before.boot):
                log.info("wearable_restarted", port=self._console.url)
                return
            before = now

    def _heard(self, frame: pb.Frame) -> None:
        if frame.WhichOneof("body") in ("link_open", "link_close", "publish"):
            with contextlib.suppress(asyncio.QueueFull):  # a flood: what is not confirmed comes again
                self._frames.put_nowait(frame)

    async def _act(self) -> None:
        while True:
            frame = await self._frames.get()
            match frame.WhichOneof("body"):
                case "link_open":
                    await self._connect(frame.link_open)
                case "link_close":
                    await self._disconnect()
                case _:
                    await self._publish(frame.publish)

    async def _connect(self, opening: pb.LinkOpen) -> None:
        if self._connection is not None and opening == self._opening:
            if self._connection.connected.is_set():
                await self._connected()
            return
        await self._disconnect()
        self._opening = opening
        self._connection = Connection(
            self._broker or opening.url,
            opening.client_id,
            list(opening.topics),
            Will(opening.will_topic, opening.will_payload),
            on_connect=self._connected,
        )
        self._running = asyncio.create_task(self._hold(self._connection), name=f"bridge {opening.client_id}")
        log.info("bridge", port=self._console.url, client=opening.client_id)

    async def _hold(self, connection: Connection) -> None:
        """Keep the connection, and tell the wearable when it is lost."""
        watching = asyncio.create_task(self._tell_losses(connection))
        try:
            await connection.run(self._deliver)
        except (PortError, Silent, CommandFailed) as error:
            log.info("wearable_does_not_listen", port=self._console.url, why=str(error))
        finally:
            watching.cancel()

    async def _tell_losses(self, connection: Connection) -> None:
        while True:
            await connection.connected.wait()
            while connection.connected.is_set():  # noqa: ASYNC110  an Event does not say when it is cleared
                await asyncio.sleep(0.05)
            with contextlib.suppress(PortError, Silent, CommandFailed):
                await self._console.do(pb.LinkState(up=False))

    async def _connected(self) -> None:
        with contextlib.suppress(PortError, Silent, CommandFailed):  # the watch sees to it
            await self._console.do(pb.LinkState(up=True))

    async def _publish(self, message: pb.Publish) -> None:
        await self._room.acquire()
        task = asyncio.create_task(self._confirm(message))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _confirm(self, message: pb.Publish) -> None:
        try:
            if self._connection is not None:
                await self._connection.publish(message.topic, message.payload, retain=message.retain)
                await self._console.do(pb.PublishDone(id=message.id))  # lost on the line, it is said again
        except (NotConnected, PortError, Silent, CommandFailed) as error:
            log.info("not_published", topic=message.topic, why=str(error))
        finally:
            self._room.release()

    async def _deliver(self, topic: str, payload: bytes) -> None:
        """Hand it down; a wearable that is busy is asked again, and then it is lost, as on any radio."""
        for _ in range(BUSY_TRIES):
            try:
                await self._console.do(pb.Deliver(topic=topic, payload=payload))
                return
            except CommandFailed as error:
                if error.code != "busy":
                    log.info("not_delivered", topic=topic, why=str(error))
                    return
                await asyncio.sleep(BUSY_S)
            except (PortError, Silent) as error:
                log.info("not_delivered", topic=topic, why=str(error))
                return

    async def _say_will(self) -> None:
        """As the broker would for a wearable whose connection breaks."""
        opening, connection = self._opening, self._connection
        if opening is None or connection is None or not connection.connected.is_set():
            return
        with contextlib.suppress(NotConnected, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await connection.publish(opening.will_topic, opening.will_payload, retain=True)

    async def _disconnect(self) -> None:
        """Without the will."""
        tasks = [*self._publishing, *([self._running] if self._running else [])]
        self._running = self._connection = self._opening = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
