"""The vote log: what this validator signed at its latest height, on disk before it is sent.

A vote is recorded, then made durable with all others recorded since by `sync`, and only then sent. The same slot
(height, round, type) always gives the stored message, and a vote for an earlier (height, round) than the latest is
refused. A log that is gone is not made again: its validator could vote twice. After a failed write or fdatasync
nothing more is recorded: the kernel may have dropped the pages and report success the next time (Rebello et al.,
"Can Applications Recover from fsync Failures?", USENIX ATC 2020).
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from salus_chain.durable import stopped, sync_folder, write_durably
from salus_chain.errors import ConfigError, Damaged, Rejected, Stopped
from salus_chain.node.storage.records import NEW_KEY, Record, Slot, encode_record, read_records

COMPACT_BYTES: Final = 8 << 20
KEEP_ROUNDS: Final = 16  # of the latest height; of those before, only the newest lock

__all__ = ["Record", "Slot", "VoteLog"]


class VoteLog:
    """An open log. Only one process can hold it."""

    def __init__(self, path: Path, file: io.FileIO, records: Iterable[Record]) -> None:
        self._path = path
        self._file = file
        self._records = {record.slot: record for record in records}
        self._latest = max(((slot.height, slot.round) for slot in self._records), default=(0, 0))
        self._size = 0
        self._kept = 0  # bytes of the file at its last compaction
        self._waiting: list[Record] = []
        self._failed: Stopped | None = None

    @classmethod
    def create(cls, path: Path) -> None:
        """Make an empty log, once in a validator's life. Raises ConfigError when there is one."""
        if path.exists():
            raise ConfigError(f"{path}: this validator has a vote log already; it is never made anew")
        write_durably(path, b"")

    @classmethod
    def open(cls, path: Path) -> VoteLog:
        """Read the log back without its torn tail, which was never sent, and write what counts anew.

        A killed process may have left records that can be read but are not durable: so they become durable
        here, before they are sent again. Raises Damaged: no log, or a damaged record that was durable once;
        ConfigError: another process holds it; Stopped when the disk fails.
        """
        try:
            file = _hold(path)
        except FileNotFoundError:
            raise Damaged(f"{path}: the vote log is gone; {NEW_KEY}") from None
        records = read_records(path)
        height = max((record.slot.height for record in records), default=0)
        log = cls(path, file, (record for record in records if record.slot.height == height))
        log._forget()
        try:
            log._compact()
        except OSError as error:
            log.close()
            raise stopped(path, error) from error
        return log

    @property
    def latest(self) -> tuple[int, int]:
        """The latest (height, round) voted in; (0, 0) before the first vote."""
        return self._latest

    def at(self, height: int) -> tuple[Record, ...]:
        """The votes of a height, by round and type."""
        return tuple(self._records[slot] for slot in sorted(self._records) if slot.height == height)

    def record(self, slot: Slot, make: Callable[[], bytes], lock: bytes = b"") -> bytes:
        """The message of this slot: the stored one, or else `make()`. It may be sent only after `sync`.

        `lock` is what a restart needs beside the message, opaque here: a COMMIT's prepared certificate and
        block. Raises Rejected `vote_regression` for a new vote before the latest (height, round), Stopped
        after a failure.
        """
        self._require_sound()
        if slot in self._records:
            return self._records[slot].message
        if (slot.height, slot.round) < self._latest:
            raise Rejected(
                "vote_regression",
                f"a vote at height {slot.height}, round {slot.round} after one at height {self._latest[0]}, "
                f"round {self._latest[1]}",
            )
        record = Record(slot, make(), lock)
        moved = (slot.height, slot.round) != self._latest
        self._latest = (slot.height, slot.round)
        self._records[slot] = record
        self._waiting.append(record)
        if moved:
            self._forget()
        return record.message

    def require(self, height: int, round_: int) -> None:
        """Raises Damaged when this log is an older copy, or the key is in use elsewhere too: a certificate shows a
        later vote of this validator.
        """
        if (height, round_) > self._latest:
            raise Damaged(
                f"{self._path}: an old copy, or another machine uses this key too: it ends at height "
                f"{self._latest[0]}, round {self._latest[1]}, and this key signed the block of height {height} in "
                f"round {round_}; {NEW_KEY}"
            )

    def sync(self) -> None:
        """Make every vote recorded so far durable: one write, one fdatasync.

        Raises Stopped when the disk fails: what was recorded since the last `sync` must never be sent.
        """
        self._require_sound()
        if not self._waiting:
            return
        try:
            if self._size > max(COMPACT_BYTES, 2 * self._kept):
                self._compact()
            else:
                self._append(b"".join(encode_record(record, self._size) for record in self._waiting))
        except OSError as error:
            self._failed = stopped(self._path, error)
            raise self._failed from error
        self._waiting.clear()

    def close(self) -> None:
        self._file.close()

    def _forget(self) -> None:
        """Drop what no restart needs: other heights, and rounds long past but for the newest lock."""
        height, round_ = self._latest
        locks = [slot for slot, record in self._records.items() if record.lock and slot.height == height]
        self._records = {
            slot: record
            for slot, record in self._records.items()
            if slot.height == height and (slot.round > round_ - KEEP_ROUNDS or slot == max(locks, default=None))
        }

    def _append(self, data: bytes) -> None:
        _write(self._file, data)
        os.fdatasync(self._file.fileno())
        self._size += len(data)

    def _compact(self) -> None:
        """Write what counts to a new file, which takes the name once it is durable and held."""
        part = self._path.with_name(f"{self._path.name}.part")
        part.write_bytes(b"")
        file = _hold(part)
        data = b"".join(encode_record(self._records[slot], 0) for slot in sorted(self._records))
        _write(file, data)
        os.fsync(file.fileno())
        part.replace(self._path)
        sync_folder(self._path.parent)
        self._file.close()
        self._file, self._size, self._kept = file, len(data), len(data)

    def _require_sound(self) -> None:
        if self._failed is not None:
            raise self._failed


def _write(file: io.FileIO, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        written = file.write(rest)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        rest = rest[written:]


def _hold(path: Path) -> io.FileIO:
    """The file, locked for this process. Raises ConfigError when another has it, or is replacing it."""
    file = io.FileIO(path, "r+b")
    file.seek(0, os.SEEK_END)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except OSError:
        held = False
    if not held:
        file.close()
        raise ConfigError(f"{path}: another process runs this validator")
    return file
