"""Where a chain to audit is read from: an archive, a validator's database, or a validator's URL. Nothing is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import httpx

from salus_chain.audit.archive import read_blocks, read_head
from salus_chain.codec import decode
from salus_chain.consensus.messages import Decided
from salus_chain.errors import AuditError, ConfigError, DecodeError, Unreachable
from salus_chain.genesis import Genesis
from salus_chain.node.recovery.sources import read_decided
from salus_chain.rules.blocks import MAX_BLOCK_BYTES, Block, Certificate
from salus_chain.tls import client_context
from salus_chain.views import Status, from_json

SQLITE_MAGIC: Final = b"SQLite format 3\0"
TIMEOUT_S: Final = 30.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Chain:
    """Blocks 1 to `height`, read as they are asked for; they raise AuditError when they cannot be read."""

    height: int
    blocks: Iterator[Decided]


@contextmanager
def open_chain(source: str, genesis: Genesis, transport: httpx.BaseTransport | None = None) -> Iterator[Chain]:
    """The chain at a path, or at the URL of a validator that the genesis names.

    `transport` carries requests elsewhere than over the network, as in tests.

    Raises ConfigError: no such file; AuditError: malformed, or another chain's; Unreachable.
    """
    if source.startswith(("http://", "https://")):
        tls = client_context(genesis.keys)
        with httpx.Client(base_url=source, timeout=TIMEOUT_S, trust_env=False, transport=transport, verify=tls) as http:
            yield _remote(http, source)
        return
    path = Path(source)
    if _is_database(path):
        with closing(_read_only(path)) as rows:
            (height,) = rows.execute("SELECT coalesce(max(height), 0) FROM blocks").fetchone()
            yield Chain(height, _named(source, _stored(rows)))
        return
    with path.open("rb") as file:
        chain, height = _decoded(source, lambda: read_head(file))
        if chain != genesis.chain_id:
            raise AuditError(f"{source}: an archive of chain {chain.hex()[:16]}, the genesis makes another")
        yield Chain(height, _named(source, read_blocks(file, height)))


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE_MAGIC)) == SQLITE_MAGIC
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _read_only(path: Path) -> sqlite3.Connection:
    """A running validator's too: a reader holds up no writer."""
    for query in ("mode=ro", "mode=ro&immutable=1"):  # the second where the side files of a WAL cannot be made
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?{query}", uri=True)
        try:
            connection.execute("SELECT height FROM blocks LIMIT 1").fetchone()
            return connection
        except sqlite3.Error as error:
            connection.close()
            reason = str(error)
    raise AuditError(f"{path}: not a validator's database: {reason}")


def _stored(rows: sqlite3.Connection) -> Iterator[Decided]:
    for block, certificate in rows.execute("SELECT block, certificate FROM blocks ORDER BY height"):
        yield Decided(Block.read(decode(block, MAX_BLOCK_BYTES)), Certificate.read(decode(certificate)))


def _remote(http: httpx.Client, url: str) -> Chain:
    height = _decoded(url, lambda: from_json(_get(http, "/status", "application/json"), Status)).height
    blocks = (read_decided(_get(http, f"/blocks/{number}", "application/cbor")) for number in range(1, height + 1))
    return Chain(height, _named(url, blocks))


def _get(http: httpx.Client, path: str, accept: str) -> bytes:
    try:
        answer = http.get(path, headers={"Accept": accept})
    except httpx.HTTPError as error:
        raise Unreachable(f"{http.base_url}{path}: {type(error).__name__} {error}".rstrip()) from None
    if answer.status_code != httpx.codes.OK:
        raise Unreachable(f"{http.base_url}{path}: status {answer.status_code}")
    return answer.content


def _decoded(source: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except DecodeError as error:
        raise AuditError(f"{source}: {error}") from None


def _named(source: str, blocks: Iterator[Decided]) -> Iterator[Decided]:
    try:
        yield from blocks
    except (DecodeError, sqlite3.Error) as error:
        raise AuditError(f"{source}: {error}") from None
