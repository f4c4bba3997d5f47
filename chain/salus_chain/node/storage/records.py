"""The vote log's file: records one after the other, and how a torn tail is told from damage.

A record is the length of its payload, the same with all bits turned, and the payload's CRC-32 (big-endian uint32
each), then the payload: canonical CBOR [base, height, round, type, message, lock]. `base` is how many bytes of the
file were durable when the record was written. A power cut leaves at worst a tail that was never synced: cut short,
or with whole sectors of zeros that were never written. Anything else is damage: bytes that were durable, and so
sent, have changed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final
from zlib import crc32

from salus_chain.codec import decode, encode_trusted, fields, integer, octets
from salus_chain.errors import Damaged, DecodeError

HEAD: Final = struct.Struct(">III")
ALL_BITS: Final = (1 << 32) - 1
ARRAY_OF_SIX: Final = 0x86  # how every payload begins
SECTOR_BYTES: Final = 512
NEW_KEY: Final = (
    "this validator has voted and could vote otherwise now, so it must not vote again with this key; put no old copy "
    "back. Make a new key, have the others admit it as an observer, then vote it into the seat (`set_validators`)"
)


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """What a validator votes in at most once."""

    height: int
    round: int
    type: int


@dataclass(frozen=True, slots=True)
class Record:
    """A vote as it was sent, and what it depends on."""

    slot: Slot
    message: bytes
    lock: bytes = b""


def encode_record(record: Record, base: int) -> bytes:
    slot = record.slot
    payload = encode_trusted((base, slot.height, slot.round, slot.type, record.message, record.lock))
    return HEAD.pack(len(payload), len(payload) ^ ALL_BITS, crc32(payload)) + payload


def read_records(path: Path) -> list[Record]:
    """Every whole record before the torn tail. Raises Damaged when a durable record is not whole."""
    data = path.read_bytes()
    records, start = [], 0
    while (read := _read(data, start)) is not None:
        record, _, start = read
        records.append(record)
    if start < len(data) and not _is_torn(data, start):
        raise Damaged(f"{path}: the record at byte {start} is damaged; {NEW_KEY}")
    return records


def _read(data: bytes, start: int) -> tuple[Record, int, int] | None:
    """The record at `start`, its base, and where it ends; None when there is no whole one."""
    payload = _payload(data, start)
    if payload is None:
        return None
    try:
        f = fields(decode(payload), 6, "vote record")
        slot = Slot(integer(f[1], "height"), integer(f[2], "round"), integer(f[3], "type"))
        record = Record(slot, octets(f[4], "message"), octets(f[5], "lock"))
        return record, integer(f[0], "base"), start + HEAD.size + len(payload)
    except DecodeError:
        return None


def _payload(data: bytes, start: int) -> bytes | None:
    first = start + HEAD.size
    if first >= len(data) or data[first] != ARRAY_OF_SIX:
        return None
    length, turned, check = HEAD.unpack_from(data, start)
    if length ^ turned != ALL_BITS or first + length > len(data):
        return None
    payload = data[first : first + length]
    return payload if crc32(payload) == check else None


def _is_torn(data: bytes, start: int) -> bool:
    """Whether an unfinished write explains that there is no record at `start`."""
    if any(base > start for base in _later_bases(data, start)):
        return False
    if start + HEAD.size > len(data):
        return True
    length, turned, _ = HEAD.unpack_from(data, start)
    cut = length ^ turned == ALL_BITS and start + HEAD.size + length > len(data)
    return cut or _has_unwritten(data, start)


def _later_bases(data: bytes, start: int) -> Iterator[int]:
    for at in range(start + 1, len(data) - HEAD.size):
        if data[at + HEAD.size] == ARRAY_OF_SIX and (read := _read(data, at)) is not None:
            yield read[1]


def _has_unwritten(data: bytes, start: int) -> bool:
    """Whether a sector, or the part of it from `start` on, is all zeros."""
    bounds = [start, *range(start - start % SECTOR_BYTES + SECTOR_BYTES, len(data), SECTOR_BYTES), len(data)]
    return any(not any(data[low:high]) for low, high in pairwise(bounds))
