"""The validator's database: final blocks, the state, where things are; SQLite WAL, every block synced.

The state is kept as a snapshot every few blocks, and rebuilt from it by executing the blocks after.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from salus_chain.codec import decode, encode
from salus_chain.durable import sync_folder
from salus_chain.errors import ConfigError
from salus_chain.genesis import Genesis
from salus_chain.rules.apply import apply_block
from salus_chain.rules.blocks import Block, Certificate, decode_block, encode_block
from salus_chain.rules.state import Round, State, decode_state, encode_state, genesis_state
from salus_chain.rules.transactions import ApproveRelease, Kind, Settle, read_transaction

SNAPSHOT_BLOCKS: Final = 64
SCHEMA: Final = """
CREATE TABLE meta (chain_id BLOB NOT NULL); CREATE TABLE blocks (height INTEGER PRIMARY KEY, block BLOB NOT
NULL, certificate BLOB NOT NULL); CREATE TABLE transactions (id BLOB PRIMARY KEY, height INTEGER NOT NULL,
position INTEGER NOT NULL) WITHOUT ROWID; CREATE TABLE marks (kind INTEGER, task TEXT, number INTEGER, height
INTEGER NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (kind, task, number)) WITHOUT ROWID;
CREATE TABLE rounds (task TEXT, number INTEGER, round BLOB NOT NULL, PRIMARY KEY (task, number)) WITHOUT
ROWID; CREATE TABLE snapshot (id INTEGER PRIMARY KEY CHECK (id = 1), state BLOB NOT NULL); CREATE TABLE
uploads (task TEXT, number INTEGER, gateway TEXT, digest BLOB NOT NULL,
    PRIMARY KEY (task, number, gateway)) WITHOUT ROWID;
CREATE INDEX uploads_by_digest ON uploads (digest);
"""


class Store:
    """One validator's database file."""

    def __init__(self, database: sqlite3.Connection, genesis: Genesis) -> None:
        self._database = database
        self._genesis = genesis

    @classmethod
    def create(cls, path: Path, genesis: Genesis) -> None:
        """Make an empty database for this chain. Raises ConfigError when there is one."""
        if path.exists():
            raise ConfigError(f"{path}: exists already; `init` never replaces a database")
        database = _connect(path)
        database.executescript(SCHEMA)
        database.execute("INSERT INTO meta VALUES (?)", (genesis.chain_id,))
        database.close()
        sync_folder(path.parent)

    @classmethod
    def open(cls, path: Path, genesis: Genesis) -> Store:
        """Raises ConfigError: no database, not one, or another chain's."""
        if not path.exists():
            raise ConfigError(f"{path}: no database; `salus chain init` makes one")
        try:
            database = _connect(path)
            (chain_id,) = database.execute("SELECT chain_id FROM meta").fetchone()
        except (sqlite3.DatabaseError, TypeError) as error:
            raise ConfigError(f"{path}: not a validator's database: {error}") from None
        if chain_id != genesis.chain_id:
            raise ConfigError(f"{path}: belongs to chain {chain_id.hex()[:16]}, the genesis makes another")
        return cls(database, genesis)

    def close(self) -> None:
        self._database.close()

    def load(self) -> State:
        """The state after the last block."""
        row = self._database.execute("SELECT state FROM snapshot").fetchone()
        state = decode_state(self._genesis, row[0]) if row else genesis_state(self._genesis)
        query = "SELECT block FROM blocks WHERE height > ? ORDER BY height"
        for (data,) in self._database.execute(query, (state.height,)).fetchall():
            state = apply_block(state, decode_block(data))
        return state

    def append(self, block: Block, certificate: Certificate, before: State, after: State) -> None:
        """Store a final block and what follows from it, in one durable step."""
        height = block.header.height
        with self._writing() as write:
            write.execute(
                "INSERT INTO blocks VALUES (?, ?, ?)",
                (height, encode_block(block), encode(certificate.value())),
            )
            for position, data in enumerate(block.transactions):
                self._index(write, data, height, position)
            for task, each in after.rounds.items():
                if before.rounds.get(task) is not each:
                    row = (task, each.open.round, encode(each.value()))
                    write.execute("INSERT OR REPLACE INTO rounds VALUES (?, ?, ?)", row)
            if height % SNAPSHOT_BLOCKS == 0:
                write.execute("INSERT OR REPLACE INTO snapshot VALUES (1, ?)", (encode_state(after),))

    def _index(self, write: sqlite3.Connection, data: bytes, height: int, position: int) -> None:
        tx = read_transaction(data)
        write.execute("INSERT INTO transactions VALUES (?, ?, ?)", (tx.id, height, position))
        if isinstance(tx.body, Settle | ApproveRelease):
            number = tx.body.round if isinstance(tx.body, Settle) else tx.body.version
            row = (int(tx.kind), tx.body.task, number, height, position)
            write.execute("INSERT INTO marks VALUES (?, ?, ?, ?, ?)", row)

    def block(self, height: int) -> tuple[Block, Certificate] | None:
        """The final block of a height with its certificate."""
        query = "SELECT block, certificate FROM blocks WHERE height = ?"
        row = self._database.execute(query, (height,)).fetchone()
        return (decode_block(row[0]), Certificate.read(decode(row[1]))) if row else None

    def range(self, start: int, most_blocks: int, most_bytes: int) -> Iterator[tuple[Block, Certificate]]:
        """Final blocks from `start` on: at least one, if there is one, and no more than fit."""
        query = "SELECT block, certificate FROM blocks WHERE height >= ? ORDER BY height LIMIT ?"
        size = 0
        for block, certificate in self._database.execute(query, (start, most_blocks)).fetchall():
            size += len(block)
            if size > most_bytes and size > len(block):
                return
            yield decode_block(block), Certificate.read(decode(certificate))

    def height_of(self, tx_id: bytes) -> int | None:
        """Where a transaction became final."""
        row = self._database.execute("SELECT height FROM transactions WHERE id = ?", (tx_id,)).fetchone()
        return int(row[0]) if row else None

    def settlement(self, task: str, number: int) -> tuple[int, int] | None:
        """Height and position of a round's settlement."""
        query = "SELECT height, position FROM marks WHERE kind = ? AND task = ? AND number = ?"
        return self._place(query, (int(Kind.SETTLE), task, number))

    def newest_release(self, task: str) -> tuple[int, int] | None:
        """Height and position of the approval of a task's newest release."""
        query = "SELECT height, position FROM marks WHERE kind = ? AND task = ? ORDER BY number DESC LIMIT 1"
        return self._place(query, (int(Kind.APPROVE_RELEASE), task))

    def _place(self, query: str, values: tuple[int | str, ...]) -> tuple[int, int] | None:
        row = self._database.execute(query, values).fetchone()
        return (int(row[0]), int(row[1])) if row else None

    def round(self, task: str, number: int) -> Round | None:
        """A round as it stands after the last block, also when a later one has opened."""
        query = "SELECT round FROM rounds WHERE task = ? AND number = ?"
        row = self._database.execute(query, (task, number)).fetchone()
        return Round.read(decode(row[0])) if row else None

    def upload(self, task: str, number: int, gateway: str) -> bytes | None:
        """The digest of the update that this gateway has uploaded for a round."""
        query = "SELECT digest FROM uploads WHERE task = ? AND number = ? AND gateway = ?"
        row = self._database.execute(query, (task, number, gateway)).fetchone()
        return bytes(row[0]) if row else None

    def add_upload(self, task: str, number: int, gateway: str, digest: bytes) -> None:
        """Remember, durably, whose update these bytes are."""
        with self._writing() as write:
            write.execute("INSERT OR IGNORE INTO uploads VALUES (?, ?, ?, ?)", (task, number, gateway, digest))

    def uploader(self, digest: bytes) -> str | None:
        """The gateway whose update these bytes are; None when they are no update known here."""
        row = self._database.execute("SELECT gateway FROM uploads WHERE digest = ?", (digest,)).fetchone()
        return str(row[0]) if row else None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield self._database
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    return database
