"""Sends the ring's packets: in order, so many in flight, again after a reconnect or when no ack comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

from salus_edge.link.connection import NotConnected
from salus_hil.virtual.ring import Key, Ring

IN_FLIGHT: Final = 32  # packets that the broker confirmed and the gateway did not yet
LONGEST_BACKOFF: Final = 6  # times the ack timeout
_START: Final = Key(0, 0)

Publish = Callable[[str, bytes], Awaitable[None]]


class Outbox:
    """`run` sends for ever. `publish(kind, payload)` returns on PUBACK; only an ack takes a packet off."""

    def __init__(
        self, ring: Ring, publish: Publish, state: Callable[[], Awaitable[None]], ack_timeout_s: float
    ) -> None:
        self._ring, self._publish, self._state = ring, publish, state
        self._ack_timeout_s = ack_timeout_s
        self._sent: dict[Key, float] = {}  # when to send again, monotonic seconds
        self._cursor = _START
        self._tries: dict[Key, int] = {}
        self._stirred = asyncio.Event()
        self._changes = 0
        self.state_said = asyncio.Event()  # the broker has the newest State
        self.resent = 0

    def stir(self) -> None:
        """Something new in the ring, or acks came."""
        for key in [key for key in self._sent if self._ring.packet(key) is None]:
            del self._sent[key]
            self._tries.pop(key, None)
        self._stirred.set()

    def state_changed(self) -> None:
        """Publish the State as soon as may be."""
        self._changes += 1
        self.state_said.clear()
        self._stirred.set()

    async def reconnected(self) -> None:
        """What was in flight may be lost: send all again, and the State first."""
        self._sent.clear()
        self._cursor = _START
        self.state_changed()

    async def run(self, connected: asyncio.Event) -> None:
        """Send for ever, while connected."""
        while True:
            await connected.wait()
            self._stirred.clear()
            try:
                if not await self._send_next():
                    await self._pause()
            except NotConnected:
                await asyncio.sleep(0.05)  # until the connection notices

    async def _send_next(self) -> bool:
        """Send one thing; False when there is nothing to send now."""
        if not self.state_said.is_set():
            changes = self._changes
            await self._state()
            if changes == self._changes:
                self.state_said.set()
            return True
        key = self._next()
        if key is None:
            return False
        packet = self._ring.packet(key)
        if packet is not None:
            self._sent[key] = time.monotonic() + self._wait_s(key)
            await self._publish(*packet)
        return True

    def _next(self) -> Key | None:
        """The oldest packet whose ack is overdue, else the next fresh one while few are in flight."""
        now_s = time.monotonic()
        overdue = [key for key, due_s in self._sent.items() if due_s <= now_s]
        if overdue:
            return min(overdue)
        if len(self._sent) >= IN_FLIGHT:
            return None
        key = self._ring.after(self._cursor)
        if key is not None:
            self._cursor = key
        return key

    def _wait_s(self, key: Key) -> float:
        """The ack timeout, longer with every try."""
        tries = self._tries[key] = self._tries.get(key, 0) + 1
        self.resent += tries > 1
        return self._ack_timeout_s * min(tries, LONGEST_BACKOFF)

    async def _pause(self) -> None:
        """Until something stirs, or the next ack is overdue."""
        due_s = min(self._sent.values(), default=time.monotonic() + self._ack_timeout_s) - time.monotonic()
        try:
            async with asyncio.timeout(max(due_s, 0.01)):  # wait_for may swallow a cancellation (CPython #86296)
                await self._stirred.wait()
        except TimeoutError:
            return
