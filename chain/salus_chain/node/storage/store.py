"""The validator's store: final blocks, the state after them, where things are, whose updates are here.

A block and all that follows from it, the entries of the state that it wrote among them, is one transaction of the
database, durable when `append` returns. Entries and places of the newest blocks wait in `recent` to be merged. What a
start reads must have the root that the last block's header names.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final
from zlib import crc32

from salus_chain.codec import decode, encode, items, octets
from salus_chain.errors import Damaged, DecodeError, Stopped
from salus_chain.genesis import Genesis
from salus_chain.node.storage.database import REPAIR, Database, Row
from salus_chain.node.storage.recent import MERGED_ROWS, Place, Recent, decode_entries, encode_entries
from salus_chain.rules.apply import apply_tx, begin
from salus_chain.rules.blocks import Block, Certificate, decode_block, encode_block
from salus_chain.rules.restore import state_of
from salus_chain.rules.state import Round, State, entries, genesis_state, state_root
from salus_chain.rules.transactions import (
    ApproveModel,
    ApproveRelease,
    Commit,
    Kind,
    Settle,
    Transaction,
    Withdraw,
    read_transaction,
)

TAIL_BLOCKS: Final = 16  # looked at whenever the database is opened
KIND_AT: Final = 35  # where a transaction's canonical bytes have its kind: after an array head and 34 of chain id
ONE_BYTE: Final = 0x18  # in front of a kind above 23
MARKED: Final = frozenset({Kind.SETTLE, Kind.APPROVE_MODEL, Kind.APPROVE_RELEASE, Kind.COMMIT, Kind.WITHDRAW})

Appended = tuple[Block, Certificate, State, State]  # with the states before and after it


class Store:
    """One validator's database file."""

    def __init__(self, database: Database, genesis: Genesis) -> None:
        self._database = database
        self._genesis = genesis
        self._recent = Recent()

    @classmethod
    def create(cls, path: Path, genesis: Genesis) -> None:
        """Make an empty database for this chain. Raises ConfigError when there is one, Stopped."""
        Database.create(path, genesis.chain_id, encode(genesis.keys))

    @classmethod
    def open(cls, path: Path, genesis: Genesis) -> Store:
        """Raises ConfigError: no database, another chain's or a newer one; Damaged; Stopped when the disk fails."""
        store = cls(Database.open(path, genesis.chain_id), genesis)
        try:
            store._check_tail()
            store._recent = store._read_recent()
        except Stopped:
            store.close()
            raise
        return store

    def close(self) -> None:
        self._database.close()

    def check_pages(self) -> None:
        """Read the whole file. Raises Damaged."""
        self._database.check_pages()

    @property
    def height(self) -> int:
        """The last final block's; 0 before the first."""
        row = self._database.one("SELECT max(height) FROM blocks")
        return int(row[0] or 0) if row else 0

    def load(self) -> State:
        """The state after the last block. Raises Damaged when its entries are not those that the block left."""
        last = self.block(self.height)
        if last is None:
            return genesis_state(self._genesis)
        header = last[0].header
        try:
            state = state_of(self._genesis, header.height, header.time_ms, header.digest, self._entries())
        except DecodeError as error:
            raise self._bad_state(str(error)) from None
        if state_root(state) != header.state_root:
            raise self._bad_state(f"its root is not the one that block {header.height} names")
        return state

    def _entries(self) -> Iterator[tuple[bytes, bytes]]:
        newer = self._recent.entries
        for key, value in self._database.all("SELECT key, value FROM entries"):
            if key not in newer:
                yield key, value
        yield from newer.items()

    def _read_recent(self) -> Recent:
        """Raises Stopped: a block that is not merged yet, or what it wrote, is damaged."""
        recent = Recent()
        for height, data in self._database.all("SELECT height, entries FROM recent ORDER BY height"):
            known = self.block(height)
            if known is None:
                raise self._damaged(height, "it is missing")
            try:
                recent.add(height, _ids(known[0]), decode_entries(data))
            except DecodeError as error:
                raise self._bad_state(str(error)) from None
        return recent

    def _bad_state(self, reason: str) -> Damaged:
        return Damaged(f"{self._database.path}: the stored state is damaged ({reason}); {REPAIR}")

    def append(self, block: Block, certificate: Certificate, before: State, after: State) -> None:
        """Store a final block and what follows from it, in one durable step. Raises Stopped."""
        self.append_all([(block, certificate, before, after)])

    def append_all(self, rows: Iterable[Appended]) -> None:
        """As `append`, of several blocks in one durable step."""
        added = Recent()
        with self._database.writing() as write:
            for block, certificate, before, after in rows:
                self._append(write, block, certificate, before, after)
                written = after.written if before.height else dict(entries(after))
                write.execute("INSERT INTO recent VALUES (?, ?)", (block.header.height, encode_entries(written)))
                added.add(block.header.height, _ids(block), written)
            merged = len(self._recent) + len(added) >= MERGED_ROWS
            if merged:
                _merge(write, self._recent)
                _merge(write, added)
                write.execute("DELETE FROM recent")
        if merged:
            self._recent = Recent()
        else:
            self._recent.extend(added)

    def _append(
        self, write: sqlite3.Connection, block: Block, certificate: Certificate, before: State, after: State
    ) -> None:
        height, data, seals = block.header.height, encode_block(block), encode(certificate.value())
        write.execute("INSERT INTO blocks VALUES (?, ?, ?, ?)", (height, data, seals, crc32(seals, crc32(data))))
        write.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?)", _marks(block))
        write.executemany(
            "INSERT INTO rounds (task, number, round, ended_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "round = excluded.round, ended_ms = coalesce(ended_ms, excluded.ended_ms)",
            (
                (each.open.task, each.open.round, encode(each.value()), None if each.active else block.header.time_ms)
                for each in _changed_rounds(block, before, after)
            ),
        )
        if after.validators != before.validators:
            write.execute("INSERT INTO sets VALUES (?, ?)", (height + 1, encode(after.validators)))

    def block(self, height: int) -> tuple[Block, Certificate] | None:
        """The final block of a height with its certificate. Raises Stopped when it is damaged."""
        row = self._database.one("SELECT * FROM blocks WHERE height = ?", (height,))
        return self._read(row) if row else None

    def range(self, start: int, most_blocks: int, most_bytes: int) -> Iterator[tuple[Block, Certificate]]:
        """Final blocks from `start` on: at least one, if there is one, and no more than fit."""
        size = 0
        query = "SELECT * FROM blocks WHERE height >= ? ORDER BY height LIMIT ?"
        for number, row in enumerate(self._database.all(query, (start, most_blocks))):
            size += len(row[1]) + len(row[2])
            if number and size > most_bytes:
                return
            yield self._read(row)

    def validators(self, height: int) -> tuple[bytes, ...]:
        """The keys that decide the block of a height, by seat."""
        row = self._database.one("SELECT keys FROM sets WHERE height <= ? ORDER BY height DESC LIMIT 1", (height,))
        return items(decode(row[0]), lambda key: octets(key, "key", 33), "keys") if row else ()

    def set_changes(self, before: int) -> list[tuple[int, tuple[bytes, ...]]]:
        """The blocks below a height whose headers announce another set than their own, with its keys."""
        rows = self._database.all(
            "SELECT height, keys FROM sets WHERE 1 < height AND height <= ? ORDER BY height", (before,)
        )
        return [(height - 1, items(decode(keys), lambda key: octets(key, "key", 33), "keys")) for height, keys in rows]

    def last_seal(self, key: bytes, above: int) -> Place | None:
        """Height and round of the newest certificate after height `above` that this key signed."""
        query = "SELECT height, certificate FROM blocks WHERE height > ? ORDER BY height DESC"
        for height, data in self._database.all(query, (above,)):
            certificate, keys = Certificate.read(decode(data)), self.validators(height)
            if any(keys[seal.seat] == key for seal in certificate.seals):
                return height, certificate.round
        return None

    def height_of(self, tx_id: bytes) -> int | None:
        """Where a transaction became final."""
        place = self.place_of(tx_id)
        return place[0] if place else None

    def place_of(self, tx_id: bytes) -> Place | None:
        """Height and position of a final transaction."""
        query = "SELECT height, position FROM transactions WHERE id = ?"
        return self._recent.places.get(tx_id) or self._place(query, tx_id)

    def marked(self, kind: Kind, name: str, number: int = 0) -> Place | None:
        """Height and position of a transaction of MARKED kind.

        `name` is its task, `task/gateway` for a commit, the digest in hexadecimal for a withdrawal; `number` its
        round, version, sequence, or 0.
        """
        query = "SELECT height, position FROM marks WHERE kind = ? AND name = ? AND number = ?"
        return self._place(query, int(kind), name, number)

    def settlement(self, task: str, number: int) -> Place | None:
        """Height and position of a round's settlement."""
        return self.marked(Kind.SETTLE, task, number)

    def newest_release(self, task: str) -> Place | None:
        """Height and position of the approval of a task's newest release."""
        query = "SELECT height, position FROM marks WHERE kind = ? AND name = ? ORDER BY number DESC LIMIT 1"
        return self._place(query, int(Kind.APPROVE_RELEASE), task)

    def _place(self, query: str, *values: int | str | bytes) -> Place | None:
        row = self._database.one(query, values)
        return (int(row[0]), int(row[1])) if row else None

    def round(self, task: str, number: int) -> Round | None:
        """A round as it stands after the last block, also when a later one has opened."""
        row = self._database.one("SELECT round FROM rounds WHERE task = ? AND number = ?", (task, number))
        return Round.read(decode(row[0])) if row else None

    def upload(self, task: str, number: int, gateway: str) -> bytes | None:
        """The digest of the update that this gateway has uploaded for a round."""
        query = "SELECT digest FROM uploads WHERE task = ? AND number = ? AND gateway = ?"
        row = self._database.one(query, (task, number, gateway))
        return bytes(row[0]) if row else None

    def add_upload(self, task: str, number: int, gateway: str, digest: bytes) -> None:
        """Remember, durably, whose update these bytes are."""
        self.add_uploads([(task, number, gateway, digest)])

    def add_uploads(self, rows: Iterable[tuple[str, int, str, bytes]]) -> None:
        """As `add_upload`, of several: task, round, gateway, digest."""
        with self._database.writing() as write:
            write.executemany("INSERT OR IGNORE INTO uploads VALUES (?, ?, ?, ?)", rows)

    def uploader(self, digest: bytes) -> str | None:
        """The gateway whose update these bytes are; None when they are no update known here."""
        row = self._database.one("SELECT gateway FROM uploads WHERE digest = ?", (digest,))
        return str(row[0]) if row else None

    def add_report(self, task: str, number: int, digest: bytes) -> None:
        """Remember, durably, the file of the report that was made here of a round."""
        with self._database.writing() as write:
            write.execute("INSERT OR REPLACE INTO reports VALUES (?, ?, ?)", (task, number, digest))

    def report(self, task: str, number: int) -> bytes | None:
        """The digest of the report that was made here of a round."""
        row = self._database.one("SELECT digest FROM reports WHERE task = ? AND number = ?", (task, number))
        return bytes(row[0]) if row else None

    def ended_before(self, time_ms: int) -> tuple[str, int] | None:
        """Task and number of a round that ended before this time and whose updates are not erased yet."""
        query = "SELECT task, number FROM rounds WHERE swept = 0 AND ended_ms < ? ORDER BY ended_ms LIMIT 1"
        row = self._database.one(query, (time_ms,))
        return (str(row[0]), int(row[1])) if row else None

    def updates_of(self, task: str, number: int) -> frozenset[bytes]:
        """The digests of all updates of a round, committed or only uploaded here."""
        each = self.round(task, number)
        uploads = self._database.all("SELECT digest FROM uploads WHERE task = ? AND number = ?", (task, number))
        committed = (commit.digest for commit in each.commits) if each else ()
        return frozenset(bytes(row[0]) for row in uploads) | frozenset(committed)

    def add_erased(self, digests: Iterable[bytes], at_ms: int, swept: tuple[str, int] | None) -> None:
        """Remember, durably, that these bytes are erased, and the round that has none left."""
        with self._database.writing() as write:
            write.executemany("INSERT OR IGNORE INTO erased VALUES (?, ?)", ((digest, at_ms) for digest in digests))
            if swept:
                write.execute("UPDATE rounds SET swept = 1 WHERE task = ? AND number = ?", swept)

    def erased_ms(self, digest: bytes) -> int | None:
        """When these bytes were erased, in Unix milliseconds."""
        row = self._database.one("SELECT at_ms FROM erased WHERE digest = ?", (digest,))
        return int(row[0]) if row else None

    def _check_tail(self) -> None:
        """Raises Stopped unless the last blocks are whole and each follows its parent."""
        child: Block | None = None
        for row in self._database.all("SELECT * FROM blocks ORDER BY height DESC LIMIT ?", (TAIL_BLOCKS,)):
            block, _ = self._read(row)
            if child and (block.digest, block.header.height + 1) != (child.header.parent, child.header.height):
                raise self._damaged(block.header.height, "the block after it has another parent")
            child = block

    def _read(self, row: Row) -> tuple[Block, Certificate]:
        height, block, certificate, check = row
        if crc32(certificate, crc32(block)) != check:
            raise self._damaged(height, "its check sum is wrong")
        return decode_block(block), Certificate.read(decode(certificate))

    def _damaged(self, height: int, reason: str) -> Damaged:
        return Damaged(f"{self._database.path}: block {height} is damaged ({reason}); {REPAIR}")


def _ids(block: Block) -> Iterator[bytes]:
    return (sha256(tx).digest() for tx in block.transactions)


def _merge(write: sqlite3.Connection, recent: Recent) -> None:
    """Into the large tables; in their order, so that each page is written once."""
    places = ((tx_id, *place) for tx_id, place in sorted(recent.places.items()))
    write.executemany("INSERT INTO transactions VALUES (?, ?, ?)", places)
    write.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?)", sorted(recent.entries.items()))


def _marks(block: Block) -> Iterator[tuple[int, str, int, int, int]]:
    for position, data in enumerate(block.transactions):
        kind = data[KIND_AT + 1] if data[KIND_AT] == ONE_BYTE else data[KIND_AT]
        if kind in MARKED:
            tx = read_transaction(data)
            yield (int(tx.kind), *_name(tx), block.header.height, position)


def _name(tx: Transaction) -> tuple[str, int]:
    match tx.body:
        case Settle(task=task, round=number) | ApproveModel(task=task, sequence=number):
            return task, number
        case ApproveRelease(task=task, version=number):
            return task, number
        case Commit(task=task, round=number, gateway=gateway):
            return f"{task}/{gateway}", number
        case Withdraw(consent=consent):
            return consent.hex(), 0
    raise TypeError(f"a {tx.kind.name} has no mark")


def _changed_rounds(block: Block, before: State, after: State) -> Iterator[Round]:
    """The rounds that the block changed, as they are after it, or were when the next one opened in this block."""
    for task, each in after.rounds.items():
        old = before.rounds.get(task)
        if old is each:
            continue
        if old is not None and old.open.round != each.open.round and old.active:
            yield _last(block, before, task, old)
        yield each


def _last(block: Block, before: State, task: str, last: Round) -> Round:
    state, number = begin(before, block.header.time_ms), last.open.round
    for data in block.transactions:
        if state.rounds[task].open.round != number:
            break
        last = state.rounds[task]
        state = apply_tx(state, read_transaction(data))
    return last
