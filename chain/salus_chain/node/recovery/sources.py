"""Where final blocks can be had from: another validator over HTTP, or a database that may be damaged.

Nothing that a source gives is believed: `resync` checks it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, Protocol, TypeVar

import httpx

from salus_chain.codec import decode, fields
from salus_chain.consensus.messages import Decided
from salus_chain.errors import DecodeError, Unreachable
from salus_chain.rules.blocks import MAX_BLOCK_BYTES, Block, Certificate
from salus_chain.views import Status, from_json

SOURCE_TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = MAX_BLOCK_BYTES + (1 << 16)

T = TypeVar("T")


class Source(Protocol):
    """A copy of the chain. Raises Unreachable, saying why, when it cannot answer."""

    @property
    def name(self) -> str: ...

    async def height(self) -> int:
        """The height of its last block, as it says."""

    async def block(self, height: int) -> Decided | None:
        """Its block of a height; None when it has none yet."""


class HttpSource:
    """A validator's URL; `GET /blocks/{height}` answers canonical CBOR [block, certificate] when asked for CBOR."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self.name = url
        self._http = http

    async def height(self) -> int:
        answer = await self._get("/status", "application/json")
        status = self._read(lambda data: from_json(data, Status), answer or b"")
        return status.height

    async def block(self, height: int) -> Decided | None:
        answer = await self._get(f"/blocks/{height}", "application/cbor")
        return None if answer is None else self._read(read_decided, answer)

    async def _get(self, path: str, accept: str) -> bytes | None:
        headers = {"Accept": accept}
        try:
            async with self._http.stream("GET", self.name + path, headers=headers, timeout=SOURCE_TIMEOUT_S) as answer:
                if answer.status_code == httpx.codes.NOT_FOUND:
                    return None
                if answer.status_code != httpx.codes.OK:
                    raise Unreachable(f"{self.name}: status {answer.status_code}")
                return await self._body(answer)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{self.name}: {type(error).__name__} {error}".rstrip()) from None

    async def _body(self, answer: httpx.Response) -> bytes:
        body = bytearray()
        async for chunk in answer.aiter_bytes():
            body += chunk
            if len(body) > MAX_ANSWER_BYTES:
                raise Unreachable(f"{self.name}: more than {MAX_ANSWER_BYTES} bytes")
        return bytes(body)

    def _read(self, read: Callable[[bytes], T], data: bytes) -> T:
        try:
            return read(data)
        except DecodeError as error:
            raise Unreachable(f"{self.name}: {error}") from None


class FileSource:
    """The rows of a validator's database, as far as SQLite can still read them; nothing is written to it."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    async def height(self) -> int:
        row = self._row("SELECT max(height) FROM blocks")
        return int(row[0]) if row and isinstance(row[0], int) else 0

    async def block(self, height: int) -> Decided | None:
        row = self._row("SELECT block, certificate FROM blocks WHERE height = ?", height)
        if row is None:
            return None
        try:
            return Decided(Block.read(decode(row[0], MAX_BLOCK_BYTES)), Certificate.read(decode(row[1])))
        except (DecodeError, TypeError) as error:
            raise Unreachable(f"{self.name}: block {height}: {error}") from None

    def _row(self, query: str, *values: int) -> tuple[bytes, bytes] | None:
        try:
            with closing(sqlite3.connect(self._path)) as database:
                row: tuple[bytes, bytes] | None = database.execute(query, values).fetchone()
                return row
        except sqlite3.Error as error:
            raise Unreachable(f"{self.name}: {error}") from None


def read_decided(data: bytes) -> Decided:
    """A final block as `GET /blocks/{height}` gives it. Raises DecodeError."""
    block, certificate = fields(decode(data, MAX_ANSWER_BYTES), 2, "final block")
    return Decided(Block.read(block), Certificate.read(certificate))
