"""What a validator holds on disk, opened together: the vote log and the database must belong to one life.

Each is whole by itself, or says so. An old copy of one beside a newer other is noticed here: the log knows how far
the database was, and the certificates in the database know what this key has signed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from salus_chain.errors import Damaged
from salus_chain.genesis import Genesis
from salus_chain.node.storage.database import REPAIR
from salus_chain.node.storage.store import Store
from salus_chain.node.storage.votes import VoteLog

VOTES_FILE: Final = "votes.log"
DATABASE_FILE: Final = "chain.sqlite"


def open_holdings(folder: Path, genesis: Genesis, key: bytes) -> tuple[Store, VoteLog]:
    """The database and the vote log of the validator with this key, held for this process.

    Raises ConfigError, Damaged or Stopped: as each of them, or when they are of different ages.
    """
    votes = VoteLog.open(folder / VOTES_FILE)
    try:
        store = Store.open(folder / DATABASE_FILE, genesis)
    except BaseException:
        votes.close()
        raise
    try:
        require_recent_votes(store, votes, key)
        require_recent_blocks(folder, store, votes)
    except Damaged:
        store.close()
        votes.close()
        raise
    return store, votes


def require_recent_votes(store: Store, votes: VoteLog, key: bytes) -> None:
    """Raises Damaged when a certificate shows a vote of this key that is newer than its vote log."""
    seal = store.last_seal(key, votes.latest[0] - 1)
    if seal is not None:
        votes.require(*seal)


def require_recent_blocks(folder: Path, store: Store, votes: VoteLog) -> None:
    """Raises Damaged when this validator has voted at a height whose parent is missing here."""
    if votes.latest[0] > store.height + 1:
        raise Damaged(
            f"{folder / DATABASE_FILE}: blocks are missing: it ends at height {store.height}, and this validator has "
            f"voted at height {votes.latest[0]}. If its -wal file was moved, put that back; else {REPAIR}"
        )
