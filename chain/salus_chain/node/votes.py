"""The vote log: what this validator ever signed at its latest height, on disk before it is sent.

A record is length and CRC-32 of the payload (two big-endian uint32), then the payload: canonical CBOR [type,
height, round, message]. The same slot (type, height, round) always gives the stored message; a vote for an
earlier height than the log's latest is refused. A log that is gone is not made again: its validator could
vote twice.
"""

from __future__ import annotations

import fcntl
import io
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

from salus_chain.codec import decode, encode, fields, integer, octets
from salus_chain.consensus.core import Vote
from salus_chain.durable import write_durably
from salus_chain.errors import ConfigError, DecodeError, Rejected

HEAD: Final = struct.Struct(">II")
COMPACT_BYTES: Final = 8 << 20

Slot = tuple[int, int, int]  # height, round, type


class VoteLog:
    """An open log. Only one process can hold it."""

    def __init__(self, path: Path, records: dict[Slot, bytes]) -> None:
        self._path = path
        self._records = records
        self._file = _hold(path)

    @classmethod
    def create(cls, path: Path) -> None:
        """Make an empty log, once in a validator's life. Raises ConfigError when there is one."""
        if path.exists():
            raise ConfigError(f"{path}: this validator has a vote log already; it is never made anew")
        write_durably(path, b"")

    @classmethod
    def open(cls, path: Path) -> VoteLog:
        """Read the log back; a torn last record, which was never sent, is cut off.

        Raises ConfigError: no log, another process holds it, or a damaged record before the last.
        """
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            raise ConfigError(f"{path}: the vote log is gone; a validator that may have voted must not go on") from None
        records, end = {}, 0
        for slot, message, end in _read(data, path):  # noqa: B007  (the end of the last good record)
            records[slot] = message
        if end < len(data):
            os.truncate(path, end)
        return cls(path, records)

    @property
    def height(self) -> int:
        """The latest height voted at, 0 before the first vote."""
        return max((slot[0] for slot in self._records), default=0)

    def at(self, height: int) -> tuple[bytes, ...]:
        """The stored messages of a height, by round and type."""
        return tuple(self._records[slot] for slot in sorted(self._records) if slot[0] == height)

    def record(self, vote: Vote, sign: Callable[[], bytes]) -> bytes:
        """The message of this slot: the stored one, or else `sign()`, durable when this returns.

        Raises Rejected `vote_regression` for a new vote at an earlier height than the latest.
        """
        slot = (vote.height, vote.round, int(vote.type))
        if slot in self._records:
            return self._records[slot]
        if vote.height < self.height:
            raise Rejected("vote_regression", f"height {vote.height} after a vote at height {self.height}")
        if vote.height > self.height and self._file.tell() > COMPACT_BYTES:
            self._compact()
        message = sign()
        self._file.write(_record(slot, message))
        os.fdatasync(self._file.fileno())
        if vote.height > self.height:
            self._records = {}
        self._records[slot] = message
        return message

    def close(self) -> None:
        self._file.close()

    def _compact(self) -> None:
        """Keep only the latest height's records."""
        self._file.close()
        write_durably(self._path, b"".join(_record(slot, self._records[slot]) for slot in sorted(self._records)))
        self._file = _hold(self._path)


def _hold(path: Path) -> io.FileIO:
    file = io.FileIO(path, "ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise ConfigError(f"{path}: another process runs this validator") from None
    return file


def _record(slot: Slot, message: bytes) -> bytes:
    payload = encode((*slot, message))
    return HEAD.pack(len(payload), crc32(payload)) + payload


def _read(data: bytes, path: Path) -> Iterator[tuple[Slot, bytes, int]]:
    """Every whole record with the offset of its end."""
    start = 0
    while start + HEAD.size <= len(data):
        length, check = HEAD.unpack_from(data, start)
        end = start + HEAD.size + length
        payload = data[start + HEAD.size : end]
        if len(payload) < length:
            return
        if crc32(payload) != check:
            if end == len(data):
                return
            raise ConfigError(f"{path}: the record at byte {start} is damaged; restore the disk, not a backup")
        try:
            height, round_, type_, message = fields(decode(payload), 4, "vote record")
            slot = (integer(height, "height"), integer(round_, "round"), integer(type_, "type"))
            yield slot, octets(message, "message"), end
        except DecodeError as error:
            raise ConfigError(f"{path}: the record at byte {start} is damaged: {error}") from None
        start = end
