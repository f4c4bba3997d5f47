"""Making a validator's database whole again: what is good in it, and the rest from the other validators.

Nothing is believed: the old file is one source of blocks among others, every certificate is checked and every block
executed from the genesis on. The old file is set aside, never deleted. The vote log is only read: without a whole one
this validator could vote twice, and no repair makes up for it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from salus_chain.config import beside
from salus_chain.consensus.messages import Decided
from salus_chain.durable import sync_folder
from salus_chain.errors import Damaged, Rejected, Stopped, Unreachable
from salus_chain.genesis import Genesis, read_genesis
from salus_chain.node.recovery.resync import Progress, check_next, sync_from
from salus_chain.node.recovery.sources import FileSource, HttpSource, Source
from salus_chain.node.storage.database import REPAIR
from salus_chain.node.storage.holdings import DATABASE_FILE, VOTES_FILE, require_recent_blocks, require_recent_votes
from salus_chain.node.storage.store import Store
from salus_chain.node.storage.votes import VoteLog
from salus_chain.node.validator import config_file, read_validator
from salus_chain.passphrases import open_key
from salus_chain.rules.state import State, genesis_state
from salus_chain.tls import client_context

SIDE_FILES: Final = ("-wal", "-shm", "")  # the database itself last: a foreign -wal beside it would be replayed


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was found and done. `found` is empty when the database was whole, `kept` then None."""

    found: str
    kept: Path | None  # where the damaged file is now
    height: int
    unreachable: str  # why no later blocks could be asked for; empty when they could


def nothing(height: int, target: int) -> None:
    """A progress that nobody watches."""


async def repair(
    folder: Path,
    genesis: Genesis,
    key: bytes,
    others: Callable[[State], Sequence[Source]],
    progress: Progress = nothing,
    clock_s: Callable[[], float] = time.time,
) -> Repaired:
    """Verify a validator's database from the genesis; replace it when it is not whole, and fetch what is missing.

    `others` gives the sources among the members of a state. Raises Damaged when the vote log is gone, damaged or
    an old copy, ConfigError when the validator runs or the database is another chain's, Forked, Stopped.
    """
    votes = VoteLog.open(folder / VOTES_FILE)
    with closing(votes):
        path = folder / DATABASE_FILE
        found = _inspect(path, genesis, progress)
        if found:
            sources = [FileSource(path)] if path.exists() else []
            fresh = path.with_name(f"{path.name}.repaired")
            store = _open_or_create(fresh, genesis)
            with closing(store):
                await _fetch(store, genesis, sources, progress)
                store.add_uploads(_uploads(path))
            if fresh.with_name(f"{fresh.name}-wal").exists():
                raise Stopped(f"{fresh}: could not be written to its end; free space, and repair again")
            kept = _set_aside(path, round(clock_s()))
            fresh.replace(path)
            sync_folder(folder)
        else:
            kept = None
        with closing(Store.open(path, genesis)) as store:
            unreachable = await _fetch(store, genesis, others(store.load()), progress)
            require_recent_votes(store, votes, key)
            if not unreachable:
                require_recent_blocks(folder, store, votes)
            return Repaired(found, kept, store.height, unreachable)


async def repair_validator(
    config: Path, first: Sequence[str] = (), progress: Progress = nothing, passphrase_file: Path | None = None
) -> Repaired:
    """As `repair`, of a configuration file; `first` are URLs to ask before those that the chain names.

    Over HTTPS only members of the chain are believed to be who they are.
    """
    path = config_file(config)
    settings = read_validator(path)
    genesis = read_genesis(beside(path, settings.genesis))
    key = open_key(beside(path, settings.key), passphrase_file).public_key
    async with AsyncExitStack() as stack:

        def others(state: State) -> Sequence[Source]:
            http = httpx.AsyncClient(trust_env=False, verify=client_context(state.members))
            stack.push_async_callback(http.aclose)
            urls = [*first, *(member.url for member in state.members.values() if member.public_key != key)]
            return [HttpSource(url, http) for url in dict.fromkeys(urls)]

        return await repair(beside(path, settings.folder), genesis, key, others, progress)


async def _fetch(store: Store, genesis: Genesis, sources: Sequence[Source], progress: Progress) -> str:
    """All that the sources have; why there may be more."""
    try:
        await sync_from(store, genesis, sources, progress)
    except Unreachable as error:
        return str(error)
    return ""


def _inspect(path: Path, genesis: Genesis, progress: Progress) -> str:
    """What is wrong with a database; empty when nothing is."""
    if not path.exists():
        return f"{path}: no database"
    try:
        with closing(Store.open(path, genesis)) as store:
            store.check_pages()
            _execute(store, genesis, progress)
    except Damaged as error:
        return str(error)
    return ""


def _execute(store: Store, genesis: Genesis, progress: Progress) -> None:
    """Raises Damaged at the first block that its validators did not sign or that does not execute."""
    state, last = genesis_state(genesis), store.height
    for block, certificate in store.range(1, last, 1 << 62):
        try:
            state = check_next(state, Decided(block, certificate))
        except Rejected as error:
            raise Damaged(f"block {state.height + 1}: {error}; {REPAIR}") from None
        progress(state.height, last)
    if store.load() != state:
        raise Damaged(f"the stored state is not that after block {state.height}; {REPAIR}")


def _open_or_create(path: Path, genesis: Genesis) -> Store:
    """What an interrupted repair left, or a new one."""
    try:
        if path.exists():
            return Store.open(path, genesis)
    except Damaged:
        for suffix in SIDE_FILES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    Store.create(path, genesis)
    return Store.open(path, genesis)


def _set_aside(path: Path, now_s: int) -> Path | None:
    """Rename a damaged database and its side files."""
    kept = path.with_name(f"{path.name}.damaged-{now_s}")
    there = path.exists()
    for suffix in SIDE_FILES:
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.replace(path.with_name(kept.name + suffix))
    sync_folder(path.parent)
    return kept if there else None


def _uploads(path: Path) -> Iterator[tuple[str, int, str, bytes]]:
    """Whose updates are here, as far as the damaged file still says so."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(path)) as database:
            yield from database.execute("SELECT task, number, gateway, digest FROM uploads")
    except sqlite3.Error:
        return
