"""Bytes named by their SHA-256: updates, models and releases. A folder by default, else any fsspec URL."""

from __future__ import annotations

import os
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol

from salus_chain.durable import make_folder, stopped, write_durably
from salus_chain.errors import DiskFull

RESERVE_BYTES: Final = 64 << 20  # left free for blocks and votes, which must never fail for the sake of an update


class Blobs(Protocol):
    """A content-addressed store."""

    def put(self, data: bytes) -> bytes:
        """Store durably; the digest. Raises DiskFull, and then nothing is stored, or Stopped."""

    def get(self, digest: bytes) -> bytes | None:
        """The bytes, or None when they are not here or no longer what their name says."""

    def has(self, digest: bytes) -> bool:
        """Whether they are here, by name."""

    def erase(self, digest: bytes) -> None:
        """Delete them, if they are here."""

    def size_bytes(self) -> int:
        """Of all that is stored; takes a look at each."""


class FolderBlobs:
    """One file for each, fsync'd with its folder before a receipt is given."""

    def __init__(self, folder: Path, reserve_bytes: int = RESERVE_BYTES) -> None:
        make_folder(folder)
        self._folder = folder
        self._reserve_bytes = reserve_bytes

    def put(self, data: bytes) -> bytes:
        digest = sha256(data).digest()
        if self.get(digest) is None:
            if shutil.disk_usage(self._folder).free < self._reserve_bytes + len(data):
                raise DiskFull(f"{self._folder}: less than {self._reserve_bytes >> 20} MiB are free; free space")
            write_durably(self._folder / digest.hex(), data)
        return digest

    def get(self, digest: bytes) -> bytes | None:
        try:
            data = (self._folder / digest.hex()).read_bytes()
        except OSError:  # gone, or its sectors cannot be read: others have it too
            return None
        return data if sha256(data).digest() == digest else None

    def has(self, digest: bytes) -> bool:
        return (self._folder / digest.hex()).exists()

    def erase(self, digest: bytes) -> None:
        try:
            (self._folder / digest.hex()).unlink(missing_ok=True)
        except OSError as error:
            raise stopped(self._folder, error) from error

    def size_bytes(self) -> int:
        with os.scandir(self._folder) as files:
            return sum(file.stat().st_size for file in files)


class UrlBlobs:
    """One object for each under an fsspec URL such as `s3://bucket/prefix`; as durable as that store is."""

    def __init__(self, url: str) -> None:
        import fsspec

        self._files, self._root = fsspec.core.url_to_fs(url)
        self._files.makedirs(self._root, exist_ok=True)

    def put(self, data: bytes) -> bytes:
        digest = sha256(data).digest()
        self._files.pipe_file(self._name(digest), data)
        return digest

    def get(self, digest: bytes) -> bytes | None:
        try:
            data = bytes(self._files.cat_file(self._name(digest)))
        except FileNotFoundError:
            return None
        return data if sha256(data).digest() == digest else None

    def has(self, digest: bytes) -> bool:
        return bool(self._files.exists(self._name(digest)))

    def erase(self, digest: bytes) -> None:
        if self.has(digest):
            self._files.rm_file(self._name(digest))

    def size_bytes(self) -> int:
        return int(self._files.du(self._root))

    def _name(self, digest: bytes) -> str:
        return f"{self._root}/{digest.hex()}"
