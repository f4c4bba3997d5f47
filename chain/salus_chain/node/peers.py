"""TCP between validators: each dials every other and only speaks on the connections it dialled.

Frames are a big-endian uint32 length and that many bytes. Queues are bounded and drop their oldest: consensus
sends again what matters. There is no TLS yet, so a node listens on loopback addresses alone
(`require_loopback`).
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections import deque
from collections.abc import Sequence
from random import Random
from typing import Final, Protocol

import structlog

from salus_chain.errors import ConfigError, DecodeError
from salus_chain.node.wire import MAX_FRAME_BYTES, Frame, Hello, decode_frame, encode_frame

QUEUE_FRAMES: Final = 2_048
QUEUE_BYTES: Final = 32 << 20
BACKOFF_FIRST_S: Final = 0.05
BACKOFF_MOST_S: Final = 2.0
DIAL_TIMEOUT_S: Final = 2.0
IDLE_TIMEOUT_S: Final = 30.0  # peers speak twice a second

log = structlog.get_logger()


class Listener(Protocol):
    """Who gets what peers say: the node, or a list in tests."""

    def received(self, seat: int, frame: Frame) -> None:
        """A frame came from a connection that claims this seat."""

    def connected(self, seat: int) -> None:
        """This seat can be reached (again)."""


class Peers:
    """The connections of one validator to all others."""

    def __init__(self, chain_id: bytes, seat: int, addresses: Sequence[str], listener: Listener, rng: Random) -> None:
        """`addresses` are `host:port` by seat. Made inside the event loop that runs it."""
        self._hello = encode_frame(Hello(chain_id, seat))
        self._chain_id = chain_id
        self._seat = seat
        self._addresses = [split_address(address) for address in addresses]
        self._listener = listener
        self._rng = rng
        self._queues = {other: _Queue() for other in range(len(addresses)) if other != seat}
        self._open: set[asyncio.StreamWriter] = set()
        self.reachable: set[int] = set()
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def send(self, seat: int | None, frame: Frame) -> None:
        """Queue a frame for one seat, or for all others when `seat` is None."""
        data = encode_frame(frame)
        for other, queue in self._queues.items():
            if seat in (None, other) and other in self.reachable:
                queue.put(data)

    async def run(self) -> None:
        """Listen and dial until cancelled. Raises ConfigError when the address cannot be listened on."""
        host, port = self._addresses[self._seat]
        require_loopback(host, "peer")
        try:
            server = await asyncio.start_server(self._accept, host, port)
        except OSError as error:
            raise ConfigError(f"cannot listen for peers on {host}:{port}: {os.strerror(error.errno or 0)}") from None
        try:
            async with asyncio.TaskGroup() as tasks:
                for other in self._queues:
                    tasks.create_task(self._speak(other), name=f"peer {other}")
                await self._fault
        finally:
            server.close()
            for writer in self._open:
                writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            hello = decode_frame(await _read(reader))
            if not isinstance(hello, Hello) or hello.chain_id != self._chain_id or hello.seat not in self._queues:
                raise DecodeError("the first message is not a hello of this chain")
            while True:
                self._hear(hello.seat, decode_frame(await _read(reader)))
        except DecodeError as error:
            log.warning("peer dropped", reason=str(error))
        except (OSError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError):
            pass  # it went away, or we do; it dials again
        finally:
            self._open.discard(writer)
            writer.close()

    def _hear(self, seat: int, frame: Frame) -> None:
        """A fault of the listener's own ends `run`; it is no reason to drop a peer and go on."""
        try:
            self._listener.received(seat, frame)
        except Exception as error:
            if not self._fault.done():
                self._fault.set_exception(error)

    async def _speak(self, other: int) -> None:
        """Keep a connection to one peer and send it what its queue holds."""
        backoff_s = BACKOFF_FIRST_S
        while True:
            try:
                async with asyncio.timeout(DIAL_TIMEOUT_S):
                    reader, writer = await asyncio.open_connection(*self._addresses[other])
            except (OSError, TimeoutError):
                await asyncio.sleep(backoff_s * self._rng.uniform(0.5, 1.5))
                backoff_s = min(2 * backoff_s, BACKOFF_MOST_S)
                continue
            backoff_s = BACKOFF_FIRST_S
            try:
                await self._serve(other, reader, writer)
            except OSError:
                log.info("peer lost", seat=other)
            finally:
                self.reachable.discard(other)
                writer.close()

    async def _serve(self, other: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        queue = self._queues[other]
        queue.clear()
        self.reachable.add(other)
        writer.write(_frame(self._hello))
        self._listener.connected(other)
        ended = asyncio.create_task(reader.read(1), name=f"peer {other} end")  # a peer never answers here
        try:
            while not ended.done():
                writer.write(b"".join(map(_frame, queue.take())))
                await writer.drain()
                await queue.wait(ended)
        finally:
            ended.cancel()
            await asyncio.gather(ended, return_exceptions=True)


class _Queue:
    """Frames that wait for one peer; the oldest give way."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def put(self, data: bytes) -> None:
        self._frames.append(data)
        self._bytes += len(data)
        while len(self._frames) > QUEUE_FRAMES or self._bytes > QUEUE_BYTES:
            self._bytes -= len(self._frames.popleft())
        self._filled.set()

    def take(self) -> list[bytes]:
        frames = list(self._frames)
        self.clear()
        return frames

    def clear(self) -> None:
        self._frames.clear()
        self._bytes = 0
        self._filled.clear()

    async def wait(self, ended: asyncio.Task[bytes]) -> None:
        """Until there is a frame, or the connection has ended."""
        filled = asyncio.create_task(self._filled.wait(), name="queue")
        try:
            await asyncio.wait({filled, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            filled.cancel()


def split_address(address: str) -> tuple[str, int]:
    """`host:port` in two. Raises ConfigError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ConfigError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)


def require_loopback(host: str, what: str) -> None:
    """Raises ConfigError for any address that others could reach."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigError(
            f"the {what} address {host} is not a loopback address: connections carry no TLS yet,"
            " so a validator listens on 127.0.0.1 or ::1 only"
        )


def _frame(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


async def _read(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(IDLE_TIMEOUT_S):
        length = int.from_bytes(await reader.readexactly(4), "big")
        if length > MAX_FRAME_BYTES:
            raise DecodeError(f"a message of {length} bytes where at most {MAX_FRAME_BYTES} are taken")
        return await reader.readexactly(length)
