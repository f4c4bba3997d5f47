"""A connection to the broker that a host carries over the console: the bridge, seen from the device."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from salus_edge.link import NotConnected, Will
from salus_edge.link.connection import Handler
from salus_edge.proto.console_pb2 import Deliver, Frame, LinkClose, LinkOpen, Publish

CONFIRM_S: Final = 10.0


class SerialConnection:
    """As salus_edge.link.Connection, but `send` puts frames to the host, who has the broker."""

    def __init__(
        self,
        url: str,
        client_id: str,
        topics: list[str],
        will: Will,
        on_connect: Callable[[], Awaitable[None]],
        send: Callable[[Frame], None],
    ) -> None:
        self.opening = LinkOpen(
            url=url, client_id=client_id, topics=topics, will_topic=will.topic, will_payload=will.payload
        )
        self.connected = asyncio.Event()
        self._on_connect, self._send = on_connect, send
        self._confirming: dict[int, asyncio.Future[None]] = {}
        self._delivered: asyncio.Queue[Deliver] = asyncio.Queue(64)
        self._greeting: asyncio.Task[None] | None = None
        self._last_id = 0

    async def run(self, handle: Handler) -> None:
        """Ask for the link, and hand over what the host delivers, until cancelled."""
        self._send(Frame(link_open=self.opening))
        try:
            while True:
                message = await self._delivered.get()
                await handle(message.topic, message.payload)
        finally:
            self.link_state(up=False)
            self._send(Frame(link_close=LinkClose()))

    async def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Returns when the host says that the broker confirmed. Raises NotConnected."""
        if not self.connected.is_set():
            raise NotConnected(f"{topic}: no bridge")
        self._last_id += 1
        confirmed = self._confirming[self._last_id] = asyncio.get_running_loop().create_future()
        self._send(Frame(publish=Publish(id=self._last_id, topic=topic, payload=payload, retain=retain)))
        try:
            async with asyncio.timeout(CONFIRM_S):
                await confirmed
        except TimeoutError:
            raise NotConnected(f"{topic}: the bridge did not confirm") from None
        finally:
            self._confirming.pop(self._last_id, None)

    def link_state(self, up: bool) -> None:
        if not up:
            self.connected.clear()
            for each in self._confirming.values():
                if not each.done():
                    each.set_exception(NotConnected("the bridge lost its broker"))
        elif not self.connected.is_set():
            self.connected.set()
            self._greeting = asyncio.ensure_future(self._on_connect())

    def confirmed(self, number: int) -> None:
        waiting = self._confirming.get(number)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def deliver(self, message: Deliver) -> bool:
        """False: too many wait."""
        try:
            self._delivered.put_nowait(message)
        except asyncio.QueueFull:
            return False
        return True
