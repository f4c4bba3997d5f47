"""A chain in one file: each record a length (4 bytes, big endian) and so many bytes of canonical CBOR.

The first record is [tag, chain id, last height]; the others are [block, certificate] by height, as
`GET /blocks/{height}` gives them. Written and read one record at a time, whatever the file's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final

from salus_chain.codec import decode, encode, fields, integer, octets
from salus_chain.consensus.messages import Decided
from salus_chain.errors import DecodeError
from salus_chain.rules.blocks import MAX_BLOCK_BYTES, Block, Certificate

ARCHIVE_TAG: Final = b"salus/archive/1"
LENGTH_BYTES: Final = 4
MAX_RECORD_BYTES: Final = MAX_BLOCK_BYTES + (1 << 16)


def write_archive(file: BinaryIO, chain_id: bytes, height: int, blocks: Iterable[Decided]) -> int:
    """Write blocks 1 to `height`; how many bytes. Raises DecodeError when `blocks` are others."""
    size = _write(file, encode((ARCHIVE_TAG, chain_id, height)))
    last = 0
    for last, each in enumerate(blocks, 1):
        if each.block.header.height != last:
            raise DecodeError(f"archive: block {each.block.header.height} where {last} is next")
        size += _write(file, encode((each.block.value(), each.certificate.value())))
    if last != height:
        raise DecodeError(f"archive: it ends at block {last}, not {height}")
    return size


def read_head(file: BinaryIO) -> tuple[bytes, int]:
    """The chain id and the last height. Raises DecodeError."""
    tag, chain_id, height = fields(decode(_read(file) or b""), 3, "archive")
    if tag != ARCHIVE_TAG:
        raise DecodeError("archive: not a chain's archive of this version")
    return octets(chain_id, "chain_id", 32), integer(height, "height")


def read_blocks(file: BinaryIO, height: int) -> Iterator[Decided]:
    """The records after the head. Raises DecodeError: malformed, or cut off before block `height`."""
    last = 0
    while data := _read(file):
        block, certificate = fields(decode(data, MAX_RECORD_BYTES), 2, "archive record")
        last += 1
        yield Decided(Block.read(block), Certificate.read(certificate))
    if last != height:
        raise DecodeError(f"archive: it has {last} blocks where its head says {height}; it was cut off")


def _write(file: BinaryIO, data: bytes) -> int:
    file.write(len(data).to_bytes(LENGTH_BYTES, "big"))
    file.write(data)
    return LENGTH_BYTES + len(data)


def _read(file: BinaryIO) -> bytes | None:
    """The next record; None at the end."""
    head = file.read(LENGTH_BYTES)
    if not head:
        return None
    length = int.from_bytes(head, "big")
    if len(head) < LENGTH_BYTES or length > MAX_RECORD_BYTES:
        raise DecodeError(f"archive: a record of {length} bytes where at most {MAX_RECORD_BYTES} are taken")
    data = file.read(length)
    if len(data) < length:
        raise DecodeError(f"archive: a record of {length} bytes ends after {len(data)}; it was cut off")
    return data
