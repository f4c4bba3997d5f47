"""The device's end of a serial console on a pty: frames in, frames out, noise skipped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tty
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cobs import cobs
from google.protobuf.message import DecodeError

from salus_edge.proto.console_pb2 import ConsoleCounters, Frame

VERSION: Final = 1
MAX_FRAME_BYTES: Final = 8192  # serialised, without the CRC
_CRC_BYTES: Final = 4
_LONGEST: Final = MAX_FRAME_BYTES + _CRC_BYTES + (MAX_FRAME_BYTES >> 7) + 2


class Port:
    """`on_frame` is called with every whole frame. Everything else is counted."""

    def __init__(self, link: Path, on_frame: Callable[[Frame], None]) -> None:
        self._on_frame = on_frame
        self.counters = ConsoleCounters()
        self._pending = bytearray()
        self._skipping = False
        self._master, self._slave = os.openpty()  # the slave stays open, so that a host may come and go
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._out = bytearray()
        link.symlink_to(os.ttyname(self._slave))
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def send(self, frame: Frame) -> None:
        """Queue a frame; a host that does not listen loses what it does not read."""
        frame.version = VERSION
        body = frame.SerializeToString(deterministic=True)
        whole = body + zlib.crc32(body).to_bytes(_CRC_BYTES, "little")
        self._out += b"\0" + cobs.encode(whole) + b"\0"
        self._write()

    async def drain(self) -> None:
        """Until the kernel has taken everything, or half a second has passed."""
        for _ in range(100):
            if not self._out:
                break
            await asyncio.sleep(0.005)

    def _write(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(BlockingIOError):
            del self._out[: os.write(self._master, self._out)]
        if self._out:
            loop.add_writer(self._master, self._write)
        else:
            loop.remove_writer(self._master)

    def _read(self) -> None:
        data = os.read(self._master, 65536)
        self.counters.received_bytes += len(data)
        *whole, rest = bytes(data).split(b"\0")
        for part in whole:
            self._take(part)
            self._end()
        self._take(rest)

    def _take(self, part: bytes) -> None:
        """Bytes between two zeros, as far as they came; of a frame too long none is kept."""
        if self._skipping:
            self.counters.noise_bytes += len(part)
            return
        self._pending += part
        if len(self._pending) > _LONGEST:
            self.counters.long_frames += 1
            self.counters.noise_bytes += len(self._pending)
            self._pending.clear()
            self._skipping = True

    def _end(self) -> None:
        encoded, self._skipping = bytes(self._pending), False
        self._pending.clear()
        if not encoded:
            return
        frame = self._decode(encoded)
        if frame is not None:
            self.counters.frames += 1
            self._on_frame(frame)

    def _decode(self, encoded: bytes) -> Frame | None:
        try:
            whole = cobs.decode(encoded)
        except cobs.DecodeError:
            whole = b""
        body, crc = whole[:-_CRC_BYTES], whole[-_CRC_BYTES:]
        if len(whole) <= _CRC_BYTES or zlib.crc32(body).to_bytes(_CRC_BYTES, "little") != crc:
            self.counters.damaged_frames += 1
            self.counters.noise_bytes += len(encoded)
            return None
        try:
            return Frame.FromString(body)
        except DecodeError:
            self.counters.malformed_frames += 1
            return None
