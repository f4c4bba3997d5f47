"""A wearable that can be given power and have it taken, with its console and, where it has no network, its bridge.

The console is asyncio; its loop, and the bridge's, run on a thread of this object's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from salus_edge.proto import console_pb2 as pb
from salus_hil.bridge import Bridge
from salus_hil.console import Console
from salus_hil.errors import PortError, RigError, Silent
from salus_hil.rig.rigfile import RigWearable
from salus_hil.rig.runners import QemuRunner, Runner

CALL_S: Final = 120.0  # for any one call: the console itself gives up long before
READY_S: Final = 20.0

T = TypeVar("T")


class Powered:
    """`start` gives power and says hello; `cut` takes it. Raises what the console raises, and RigError."""

    def __init__(self, rig: RigWearable, runner: Runner, log: Path) -> None:
        self.rig = rig
        self._runner, self._log = runner, log
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"wearable {rig.id}", daemon=True)
        self._thread.start()
        self._console: Console | None = None
        self._bridging: asyncio.Task[None] | None = None
        self._bridged = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what was started. Idempotent."""
        if not self._thread.is_alive():
            return
        try:
            self._hang_up()
        finally:
            self._runner.stop()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def start(self) -> pb.HelloReply:
        """Give power, open the port, say hello."""
        self._hang_up()
        url = self._runner.start()
        self._console = self._run(self._new_console(url))
        if isinstance(self._runner, QemuRunner):
            self._runner.go()
        reply = self._run(self._console.wait_ready(READY_S))
        self._begin_bridge()
        return reply

    def cut(self) -> None:
        """Take the power away, in whatever it is doing."""
        self._runner.cut()
        self._hang_up()

    def power_cycle(self) -> pb.HelloReply:
        self.cut()
        return self.start()

    def damage(self, data: bytes) -> None:
        """Flip a bit in the middle of `data`, wherever its flash holds that, while it has no power.

        Raises RigError: its flash holds no such bytes.
        """
        for path in self._runner.flash:
            content = path.read_bytes()
            if (at := content.find(data)) >= 0:
                with path.open("r+b") as file:
                    file.seek(at + len(data) // 2)
                    file.write(bytes([data[len(data) // 2] ^ 0x10]))
                return
        raise RigError(f"{self.rig.id}: nothing in its flash holds these {len(data)} bytes")

    def reopen(self) -> pb.HelloReply:
        """Close the port and open it again, as another program of the host would."""
        self._end_bridge()
        reply = self._run(self._close_and_open())
        self._begin_bridge()
        return reply

    def reset(self) -> pb.HelloReply:
        """By command; the device starts again by itself."""
        return self._run(self._restarted(self._there.reset))

    def factory_erase(self) -> pb.HelloReply:
        """Everything it keeps is gone; it starts again as it left the factory."""
        return self._run(self._restarted(self._there.factory_erase))

    def bridge(self, broker_url: str) -> None:
        """Carry its MQTT over this console, also after the next start, until `unbridge`."""
        self.unbridge()
        self._bridged = broker_url
        self._begin_bridge()

    def unbridge(self) -> None:
        self._bridged = ""
        self._end_bridge()

    @property
    def _there(self) -> Console:
        if self._console is None:
            raise RigError(f"{self.rig.id}: it has no power; start it first")
        return self._console

    async def _new_console(self, url: str) -> Console:
        console = Console(url, self.rig.entry.baud, self._log)
        await console.open()
        return console

    async def _close_and_open(self) -> pb.HelloReply:
        await self._there.open()
        return await self._there.wait_ready(READY_S)

    async def _restarted(self, command: Callable[[], Coroutine[None, None, None]]) -> pb.HelloReply:
        """Give a command that restarts it, and wait until it has: its uptime counts from after the command."""
        console = self._there
        before_ms, began = (await console.status()).uptime_ms, self._loop.time()
        await command()
        while self._loop.time() - began < READY_S:
            reply = await console.wait_ready(READY_S)
            with contextlib.suppress(PortError, Silent):
                since_ms = (self._loop.time() - began) * 1000
                if (await console.status()).uptime_ms < since_ms + before_ms / 2:
                    return reply
            await asyncio.sleep(0.02)
        raise RigError(f"{self.rig.id}: it said that it would restart, and did not")

    def _begin_bridge(self) -> None:
        if self._bridged and self._console is not None:
            self._run(self._start_bridge(Bridge(self._console, self._bridged)))

    async def _start_bridge(self, bridge: Bridge) -> None:
        self._bridging = asyncio.create_task(bridge.run(), name=f"bridge {self.rig.id}")

    def _end_bridge(self) -> None:
        if self._bridging is not None:
            self._run(self._stop_bridge(self._bridging))
            self._bridging = None

    async def _stop_bridge(self, bridging: asyncio.Task[None]) -> None:
        bridging.cancel()
        await asyncio.gather(bridging, return_exceptions=True)

    def _run(self, coroutine: Coroutine[None, None, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(CALL_S)

    def _hang_up(self) -> None:
        self._end_bridge()
        if self._console is not None:
            console, self._console = self._console, None
            self._run(console.close())
