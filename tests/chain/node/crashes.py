"""A validator's disk work, killed at every operation: run as `python -m tests.chain.node.crashes` under `faults.c`.

For every k, a forked child does the same work and dies, or its disk fails, at the k-th operation. What it said to
others before, it reported through a pipe. The folder as it is, and as power cuts of several kinds would leave it, is
then opened again: all that was said must still hold. Failures are printed, one a line; the last line says how many
cases ran. To show that this finds what it is for, a sync can be left out (`forget`).
"""

from __future__ import annotations

import ctypes
import os
import pickle
import sqlite3
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Final

from salus_chain import durable
from salus_chain.errors import ChainError, Rejected, Stopped
from salus_chain.founding import BLOBS_FOLDER, prepare_folder
from salus_chain.node.storage import database, store, votes
from salus_chain.node.storage.blobs import FolderBlobs
from salus_chain.node.storage.holdings import open_holdings
from salus_chain.node.storage.records import Record, Slot
from salus_chain.node.storage.store import Appended
from salus_chain.rules.state import genesis_state
from salus_chain.rules.transactions import Consent
from tests.chain.federation import federation

COUNT, DIE, DIE_HALF_DONE, DISK_FULL, SYNC_FAILS = range(5)
MODES: Final = {"die": DIE, "half": DIE_HALF_DONE, "full": DISK_FULL, "sync": SYNC_FAILS}
POWER_CUTS: Final = ("", "nothing unsynced", "names only", "bytes only", "names and zeros")
F: Final = federation()
KEY: Final = F.genesis.keys[0]
BLOCKS: Final = 12  # at most
UPDATES: Final = tuple(bytes([number]) * 700 for number in range(2))


@dataclass
class Said:
    """What a validator let others know before it ended."""

    founded: bool = False
    votes: dict[Slot, bytes] = field(default_factory=dict)
    blocks: dict[int, bytes] = field(default_factory=dict)
    receipts: set[bytes] = field(default_factory=set)
    stopped: str = ""  # with the error that its operator sees
    failed: str = ""  # with anything else


Tell = Callable[[str, object], None]


def chain() -> list[Appended]:
    state, rows = genesis_state(F.genesis), []
    for height in range(1, BLOCKS + 1):
        block, after = F.block(state, F.sign(F.validators[0], state, Consent(bytes([height]) * 32, bytes(32))))
        rows.append((block, F.certify(block), state, after))
        state = after
    return rows


ROWS: Final = chain()


def work(folder: Path, blocks: int, tell: Tell) -> None:
    """Found, vote, make blocks final, take updates, stop and start again, with every size so small that all happens."""
    votes.COMPACT_BYTES, database.CHECKPOINT_PAGES, store.MERGED_ROWS = 400, 6, 7  # type: ignore[misc, attr-defined]
    prepare_folder(folder, F.genesis)
    tell("founded", True)
    half = blocks // 2
    for number, rows in enumerate((ROWS[:half], ROWS[half:blocks])):
        held, log = open_holdings(folder, F.genesis, KEY)
        held.load()
        blobs = FolderBlobs(folder / BLOBS_FOLDER, reserve_bytes=0)
        for row in rows:
            decide(held, log, row, tell)
        digest = blobs.put(UPDATES[number])
        held.add_upload("activity", number, "gateway-0", digest)
        tell("receipt", digest)
        held.close()
        log.close()


def forget(what: str) -> None:
    """Leave a sync out that the code makes: its power cuts must then be found."""
    careless = SimpleNamespace(**{**vars(os), "fsync": lambda fd: None, "fdatasync": lambda fd: None})
    match what:
        case "vote":
            vars(votes)["os"] = careless
        case "folder":
            vars(votes)["sync_folder"] = lambda folder: None
        case "file":
            vars(durable)["os"] = careless
        case "database":
            database._connect = _careless


def _careless(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 6")
    return connection


def decide(held: store.Store, log: votes.VoteLog, row: Appended, tell: Tell) -> None:
    """Two rounds of one height: what is sent is told only after its sync."""
    height = row[0].header.height
    for round_ in range(2):
        sent = {}
        for type_ in (2, 3):
            slot = Slot(height, round_, type_)
            lock = bytes([height, round_]) * 50 if type_ == 3 else b""
            sent[slot] = log.record(slot, lambda slot=slot: vote(slot), lock)  # type: ignore[misc]
        log.sync()
        tell("votes", sent)
    held.append(*row)
    tell("block", (height, row[0].digest))


def vote(slot: Slot) -> bytes:
    return f"vote {slot.height} {slot.round} {slot.type} ".encode() * 3


class Disk:
    """The shim, its counters, and what it keeps."""

    def __init__(self, shim: str) -> None:
        self._shim = ctypes.CDLL(shim)
        self._shim.fault_count.restype = ctypes.c_long
        self._shim.fault_arm.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_long)

    def run(self, place: Path, blocks: int, mode: int, k: int) -> tuple[Said, int]:
        """Do the work in a child that meets its fault at operation k; what it said, and the operations it did."""
        live, kept = place / "live", place / "kept"
        for folder in (live, kept):
            folder.mkdir(parents=True)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            self._child(live, kept, blocks, mode, k, write)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            said, count = _listen(pipe.read())
        os.waitpid(child, 0)
        return said, count

    def _child(self, live: Path, kept: Path, blocks: int, mode: int, k: int, write: int) -> None:
        def tell(what: str, value: object) -> None:
            data = pickle.dumps((what, value))
            os.write(write, len(data).to_bytes(4, "big") + data)

        self._shim.fault_arm(str(live).encode(), str(kept).encode(), mode, k)
        try:
            work(live, blocks, tell)
        except Stopped as error:
            tell("stopped", str(error))
        except BaseException as error:
            tell("failed", repr(error))
        tell("count", self._shim.fault_count())
        os._exit(0)


def _listen(data: bytes) -> tuple[Said, int]:
    said, count, at = Said(), 0, 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        what, value = pickle.loads(data[at + 4 : at + 4 + length])
        at += 4 + length
        match what:
            case "votes":
                said.votes |= value
            case "block":
                said.blocks[value[0]] = value[1]
            case "receipt":
                said.receipts.add(value)
            case "count":
                count = value
            case _:
                setattr(said, what, value)
    return said, count


def after_cut(place: Path, cut: str) -> Path:
    """The folder that a power cut of this kind leaves; the one that is there for none."""
    if not cut:
        return place / "live"
    target = place / cut.replace(" ", "-")
    _rebuild(place / "live", place / "kept", target, cut, _by_inode(place / "live"))
    return target


def _rebuild(live: Path, kept: Path, target: Path, cut: str, inodes: dict[int, Path]) -> None:
    target.mkdir()
    for inode, is_folder, name in _names(live, kept, unsynced=cut.startswith("names")):
        if is_folder:
            _rebuild(live / name, kept, target / name, cut, inodes)
            continue
        durable, now = kept / f"file-{inode}", inodes.get(inode)
        data = durable.read_bytes() if durable.exists() else b""
        if cut == "bytes only" and now is not None:
            data = now.read_bytes()
        elif cut == "names and zeros" and now is not None:
            data += bytes(max(0, now.stat().st_size - len(data)))
        (target / name).write_bytes(data)


def _names(live: Path, kept: Path, *, unsynced: bool) -> Iterator[tuple[int, bool, str]]:
    if unsynced:
        yield from ((each.stat().st_ino, each.is_dir(), each.name) for each in live.iterdir())
        return
    listing = kept / f"names-{live.stat().st_ino}" if live.exists() else kept / "none"
    for line in listing.read_text().splitlines() if listing.exists() else ():
        inode, is_folder, name = line.split(" ", 2)
        yield int(inode), is_folder == "1", name


def _by_inode(folder: Path) -> dict[int, Path]:
    return {path.stat().st_ino: path for path in folder.rglob("*") if path.is_file()}


def wrong(folder: Path, said: Said) -> str:
    """What no longer holds of what was said; empty when all does."""
    if said.failed:
        return f"ended with {said.failed}"
    try:
        held, log = open_holdings(folder, F.genesis, KEY)
    except ChainError as error:
        return f"does not open: {error}" if said.founded else ""
    except Exception as error:
        return f"opening raises {error!r}"
    try:
        return _wrong_votes(log, said) or _wrong_blocks(held, said) or _wrong_receipts(folder, held, said)
    except ChainError as error:
        return f"after opening: {error}"
    finally:
        held.close()
        log.close()


def _wrong_votes(log: votes.VoteLog, said: Said) -> str:
    stored = {record.slot: record for record in log.at(log.latest[0])}
    for slot, message in said.votes.items():
        if slot.height == log.latest[0] and stored.get(slot) != _record(slot, message):
            return f"the vote in {slot} is {stored.get(slot)}"
        if (slot.height, slot.round) > log.latest:
            return f"the vote in {slot} is lost"
        try:
            again = log.record(slot, lambda: b"another vote")
        except Rejected:
            continue
        if again != message:
            return f"votes in {slot} again, otherwise"
    return ""


def _record(slot: Slot, message: bytes) -> Record:
    return Record(slot, message, bytes([slot.height, slot.round]) * 50 if slot.type == 3 else b"")


def _wrong_blocks(held: store.Store, said: Said) -> str:
    state = held.load()
    if state.height < max(said.blocks, default=0):
        return f"ends at height {state.height} after {max(said.blocks)}"
    for height, digest in said.blocks.items():
        stored = held.block(height)
        if stored is None or stored[0].digest != digest:
            return f"block {height} is another"
        if [held.height_of(sha256(tx).digest()) for tx in stored[0].transactions] != [height]:
            return f"the transaction of block {height} is not found"
    if state != (ROWS[state.height - 1][3] if state.height else genesis_state(F.genesis)):
        return f"the state at height {state.height} is another"
    if state.height < BLOCKS:
        held.append(*ROWS[state.height])
    return ""


def _wrong_receipts(folder: Path, held: store.Store, said: Said) -> str:
    blobs = FolderBlobs(folder / BLOBS_FOLDER, reserve_bytes=0)
    for update in UPDATES:
        digest = sha256(update).digest()
        if digest in said.receipts and (blobs.get(digest) != update or held.uploader(digest) is None):
            return f"update {digest.hex()[:16]} is lost after its receipt"
        if blobs.get(digest) not in (None, update):
            return f"update {digest.hex()[:16]} is half there"
    return ""


def main(shim: str, mode: str, step: int, blocks: int, forgotten: str = "") -> None:
    """Every `step`-th operation of a life of so many blocks."""
    forget(forgotten)
    disk, cases, k, done = Disk(shim), 0, 1, False
    while not done:
        with TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as place:
            said, count = disk.run(Path(place), blocks, MODES[mode], k)
            done = 0 < count < k  # it ended before operation k
            folders = {cut: after_cut(Path(place), cut) for cut in POWER_CUTS}
            for cut, folder in folders.items():
                cases += 1
                if reason := wrong(folder, said):
                    print(f"FAILED at {k}, {cut or 'no power cut'}: {reason}", flush=True)
        k += step
    print(f"{mode}: {k - step} operations, {cases} cases")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), *sys.argv[5:])
