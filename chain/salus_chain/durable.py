"""Files that survive a power cut: the bytes, and then their name, are on disk before the call returns."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from salus_chain.errors import DiskFull, Stopped

FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, all or nothing; nothing unfinished stays when it fails.

    Raises Stopped, of which `DiskFull` is the kind that freeing space helps.
    """
    try:
        _write(path, data)
    except OSError as error:
        raise stopped(path, error) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, durably. Raises Stopped."""
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        for each in missing:
            sync_folder(each.parent)
    except OSError as error:
        raise stopped(folder, error) from error


def _write(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def stopped(path: Path, error: OSError) -> Stopped:
    """Why a validator whose `path` cannot be written must end, and what its operator does."""
    if error.errno in FULL:
        return DiskFull(f"{path}: disk full; free space, and start the validator again")
    reason = error.strerror or str(error)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return Stopped(f"{path}: cannot be written ({reason}); make it writable, and start the validator again")
    return Stopped(f"{path}: the disk fails ({reason}); check it, and start the validator again")
