"""One connection between two validators: frames in both directions, bounded, with keep-alive.

A frame is a big-endian uint32 length and that many bytes; length 0 says only that the other is there. What waits to
be written stands in two lanes, votes before transactions, each bounded and dropping its oldest: consensus sends
again what matters. What comes in faster than the rates allow is left unread, so that TCP slows the other down.
Nothing here takes a task per frame: all frames of one turn of the event loop leave in one write.
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, fields
from ssl import SSLObject
from typing import Final

from salus_chain.errors import DecodeError
from salus_chain.node.network.pace import Bucket, Rate
from salus_chain.node.network.wire import MAX_FRAME_BYTES
from salus_chain.tls import member_of

HELLO_BYTES: Final = 512  # the longest frame before a peer has said who it is
WRITE_BYTES: Final = 256 << 10  # handed to the transport at once; the rest waits where votes can pass it
SLICE_FRAMES: Final = 128  # taken in from one peer before others get their turn
FRAMES: Final = Rate(5_000, 10_000)
BYTES: Final = Rate(64 << 20, 64 << 20)  # batches of 2,000 transactions, a hundred a second
_LENGTH: Final = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one connection."""

    frames: Rate = FRAMES
    bytes: Rate = BYTES
    queue_frames: int = 2_048  # of each lane
    queue_bytes: int = 16 << 20
    handshake_s: float = 5.0
    keep_alive_s: float = 5.0
    idle_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Counters:
    """What went between this validator and one peer since it started."""

    frames_in: int = 0
    frames_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dropped: int = 0  # frames that gave way to newer ones
    connections: int = 0
    rate_limited: int = 0  # times that reading stopped for a while
    offences: int = 0  # times that it was cut off for what it sent


COUNTED: Final = tuple(field.name for field in fields(Counters))


class Link(asyncio.Protocol):
    """A connection from its TLS handshake on. `frame` gets each frame's bytes, `closed` the reason of the end.

    `frame` raises DecodeError for what no honest peer sends, which ends the connection.
    """

    def __init__(
        self,
        limits: Limits,
        made: Callable[[Link], None],
        frame: Callable[[Link, bytes], None],
        closed: Callable[[Link, str], None],
        *,
        dialled: bool,
    ) -> None:
        self.dialled = dialled
        self.member = b""  # whose certificate it is, once connected
        self.open = False  # hellos were exchanged
        self.counts: Counter[str] = Counter()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.greeted = asyncio.Event()  # hellos were exchanged, or never will be
        self.offended = False
        self._limits, self._made, self._frame, self._closed = limits, made, frame, closed
        self._loop = asyncio.get_running_loop()
        now_s = self._loop.time()
        self._heard_s = self._wrote_s = now_s
        self._frames, self._bytes = Bucket(limits.frames, now_s), Bucket(limits.bytes, now_s)
        self._buffer = bytearray()
        self._resting = False
        self._urgent, self._bulk = Lane(limits), Lane(limits)
        self._full = self._flushing = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's is one too, and derives from nothing
        assert self._transport is not None
        self._transport.set_write_buffer_limits(high=WRITE_BYTES)
        try:
            tls: SSLObject = transport.get_extra_info("ssl_object")
            self.member = member_of(tls.getpeercert(True) or b"")
            self._made(self)
        except DecodeError as error:
            self.close(str(error))

    def connection_lost(self, error: Exception | None) -> None:
        self.close(str(error) if error else "the other side closed the connection")

    def close(self, reason: str, last: bytes = b"") -> None:
        """End it, after saying a last frame; once."""
        if self.ended.done():
            return
        self.ended.set_result(reason)
        self.greeted.set()  # nobody is waited for any more
        self._buffer.clear()
        if self._transport is not None:
            if last and not self._full:
                self._transport.write(_LENGTH.pack(len(last)) + last)
                self._transport.close()
            else:
                self._transport.abort()
        self._closed(self, reason)

    def tend(self, now_s: float) -> None:
        """Say that this side is there when it said nothing for a while; end what is silent for too long."""
        if now_s - self._heard_s > self._limits.idle_s and not self._resting:
            self.close(f"nothing was heard for {self._limits.idle_s:g} s")
        elif now_s - self._wrote_s >= self._limits.keep_alive_s:
            self.send(b"")

    def send(self, data: bytes, *, bulk: bool = False) -> None:
        """Queue a frame's bytes; it leaves at the end of this turn of the event loop."""
        if self.ended.done():
            return
        self.counts["dropped"] += (self._bulk if bulk else self._urgent).put(data)
        self._flush_soon()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not (self._flushing or self._full):
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        while not self._full and not self.ended.done() and self._transport is not None:
            frames = self._urgent.take(WRITE_BYTES) or self._bulk.take(WRITE_BYTES)
            if not frames:
                return
            data = b"".join(part for frame in frames for part in (_LENGTH.pack(len(frame)), frame))
            self.counts["frames_out"] += len(frames)
            self.counts["bytes_out"] += len(data)
            self._wrote_s = self._loop.time()
            self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        self._heard_s = self._loop.time()
        self._buffer += data
        if not self._resting:
            self._take_in()

    def _take_in(self) -> None:
        """Hand on the whole frames in the buffer, until a rate or the slice is used up."""
        start, wait_s = 0, 0.0
        for _ in range(SLICE_FRAMES):
            end = self._frame_end(start)
            if end is None:
                break
            wait_s = self._deliver(bytes(self._buffer[start + _LENGTH.size : end]))
            start = end
            if wait_s > 0:
                self.counts["rate_limited"] += 1
                break
        del self._buffer[:start]
        if wait_s > 0 or (self._buffer and self._frame_end(0) is not None):
            self._rest(wait_s)

    def _frame_end(self, start: int) -> int | None:
        """Where the frame at `start` ends; None while it is not whole. Too long a one ends the connection."""
        if self.ended.done() or len(self._buffer) - start < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer, start)
        most = MAX_FRAME_BYTES if self.open else HELLO_BYTES
        if length > most:
            self._offend(f"a message of {length} bytes where at most {most} are taken")
            return None
        end = start + _LENGTH.size + length
        return end if end <= len(self._buffer) else None

    def _deliver(self, data: bytes) -> float:
        """Hand on one frame; the seconds to rest after it."""
        now_s = self._loop.time()
        self.counts["frames_in"] += 1
        self.counts["bytes_in"] += len(data) + _LENGTH.size
        if data:
            try:
                self._frame(self, data)
            except DecodeError as error:
                self._offend(str(error))
        return max(self._frames.take(1, now_s), self._bytes.take(len(data), now_s))

    def _offend(self, reason: str) -> None:
        self.offended = True
        self.close(reason)

    def _rest(self, wait_s: float) -> None:
        """Read nothing for a while; no time at all lets others have their turn."""
        if self.ended.done() or self._transport is None:
            return
        self._resting = True
        self._transport.pause_reading()
        self._loop.call_later(wait_s, self._go_on)

    def _go_on(self) -> None:
        self._resting = False
        if self.ended.done() or self._transport is None:
            return
        self._heard_s = self._loop.time()
        self._transport.resume_reading()
        self._take_in()


class Lane:
    """Frames that wait to be written; the oldest give way."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._frames: deque[bytes] = deque()
        self._bytes = 0

    def put(self, data: bytes) -> int:
        """Append; how many frames gave way."""
        self._frames.append(data)
        self._bytes += len(data)
        dropped = 0
        while len(self._frames) > self._limits.queue_frames or self._bytes > self._limits.queue_bytes:
            self._bytes -= len(self._frames.popleft())
            dropped += 1
        return dropped

    def take(self, most_bytes: int) -> list[bytes]:
        """The oldest frames, as many as `most_bytes` hold, at least one where there is any."""
        taken: list[bytes] = []
        size = 0
        while self._frames and (not taken or size + len(self._frames[0]) <= most_bytes):
            taken.append(self._frames.popleft())
            size += len(taken[-1])
        self._bytes -= size
        return taken
