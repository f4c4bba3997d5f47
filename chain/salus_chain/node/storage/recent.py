"""What the newest blocks wrote, until the rows of many are merged into the large tables at once.

Entries and transactions are found by digests, and so lie all over their tables: written block by block, nearly every
row would cost a page of 4 KiB. Each block stores its entries in one piece instead, and a page that is written at last
takes in the rows of many blocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Final, TypeAlias

from salus_chain.codec import decode, encode_trusted, items, octets
from salus_chain.errors import DecodeError

MERGED_ROWS: Final = 8_192  # at once: some 80 ms, of which half as many rows would take nearly as much

Place: TypeAlias = tuple[int, int]  # height, and position in the block


class Recent:
    """Of blocks that are not merged yet: the entries by key, the newest value of each, and transactions by id."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.places: dict[bytes, Place] = {}

    def __len__(self) -> int:
        return len(self.entries) + len(self.places)

    def add(self, height: int, ids: Iterable[bytes], written: Mapping[bytes, bytes]) -> None:
        """A block's."""
        self.entries |= written
        self.places |= {tx_id: (height, position) for position, tx_id in enumerate(ids)}

    def extend(self, newer: Recent) -> None:
        self.entries |= newer.entries
        self.places |= newer.places


def encode_entries(written: Mapping[bytes, bytes]) -> bytes:
    """Keys and values in turn."""
    return encode_trusted(tuple(chain.from_iterable(sorted(written.items()))))


def decode_entries(data: bytes) -> dict[bytes, bytes]:
    """Raises DecodeError."""
    flat = items(decode(data), lambda each: octets(each, "entry"), "entries")
    if len(flat) % 2:
        raise DecodeError("entries: a key without a value")
    return dict(zip(flat[::2], flat[1::2], strict=True))
