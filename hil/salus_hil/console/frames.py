"""Frames of the serial console, pure: COBS(payload ‖ CRC-32, little endian) between two 0x00 bytes.

COBS: Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1997. The C++ side is `firmware/lib/console`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cobs import cobs

MAX_FRAME_BYTES: Final = 65536  # of a serialised Frame; a device may take less, and says so
_CRC_BYTES: Final = 4
_MAX_RAW_BYTES: Final = MAX_FRAME_BYTES + _CRC_BYTES + (MAX_FRAME_BYTES + _CRC_BYTES) // 254 + 1


@dataclass(frozen=True, slots=True)
class Payload:
    """A whole frame with a right CRC."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are no frame: a boot ROM's text, half a frame, damage. `why`: `cobs`, `crc`, `too_long`, `unended`."""

    data: bytes
    why: str


def encode_frame(payload: bytes) -> bytes:
    """What goes over the wire. The 0x00 in front ends whatever noise the line carried before."""
    crc = zlib.crc32(payload).to_bytes(_CRC_BYTES, "little")
    return b"\0" + bytes(cobs.encode(payload + crc)) + b"\0"


class Reader:
    """Takes bytes as they come, any number at a time. Keeps at most one frame of the longest length."""

    def __init__(self) -> None:
        self._raw = bytearray()
        self._skipping = False  # a frame was too long: skip to its end

    def feed(self, data: bytes) -> Iterator[Payload | Noise]:
        """What is complete now, in order."""
        *ended, rest = data.split(b"\0")
        for part in ended:
            yield from self._more(part)
            if self._raw and not self._skipping:
                yield _read(bytes(self._raw))
            self._raw.clear()
            self._skipping = False
        yield from self._more(rest)

    def end(self) -> Iterator[Noise]:
        """No more bytes will come."""
        if self._raw and not self._skipping:
            yield Noise(bytes(self._raw), "unended")
        self._raw.clear()
        self._skipping = False

    def _more(self, part: bytes) -> Iterator[Noise]:
        if self._skipping:
            if part:
                yield Noise(part, "too_long")
            return
        self._raw += part
        if len(self._raw) > _MAX_RAW_BYTES:
            self._skipping = True
            yield Noise(bytes(self._raw), "too_long")
            self._raw.clear()


def _read(raw: bytes) -> Payload | Noise:
    try:
        data = bytes(cobs.decode(raw))
    except cobs.DecodeError:
        return Noise(raw, "cobs")
    payload, crc = data[:-_CRC_BYTES], data[-_CRC_BYTES:]
    if len(data) < _CRC_BYTES or zlib.crc32(payload) != int.from_bytes(crc, "little"):
        return Noise(raw, "crc")
    return Payload(payload)
