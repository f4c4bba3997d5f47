"""A clerk at its desk: a real store and blobs, a closed round, and no network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from salus_chain.errors import DiskFull, Rejected
from salus_chain.node.ledger import Identity
from salus_chain.node.network import wire
from salus_chain.node.settling.clerk import Clerk
from salus_chain.node.settling.settler import explained
from salus_chain.node.storage.blobs import FolderBlobs
from salus_chain.node.storage.store import Store
from salus_chain.reports import decode_report
from salus_chain.rules.state import State
from salus_chain.updates import encode_update, sign_upload, update_digest
from tests.chain.federation import MODEL, TASK, federation

F = federation()
CLOSED = F.closed()
ROUND = CLOSED.rounds[TASK]
UPDATES = [F.update(CLOSED, number) for number in range(3)]
FILES = {update_digest(data): data for data in UPDATES}


@dataclass
class Desk:
    """What a clerk asks of its ledger."""

    store: Store
    state: State = CLOSED
    seat: int | None = 0
    identity: Identity = field(default_factory=lambda: Identity("hospital-0", F.validators[0]))


class Nowhere:
    """No other validator has anything."""

    async def get(self, digest: bytes, urls: object) -> None:
        return None


class Office:
    def __init__(self, path: Path) -> None:
        Store.create(path / "chain.sqlite", F.genesis)
        self.store = Store.open(path / "chain.sqlite", F.genesis)
        self.folder = path / "blobs"
        self.blobs = FolderBlobs(self.folder)
        self.sent: list[wire.Frame] = []
        self.desk = Desk(self.store)
        self.clerk = Clerk(
            self.desk,  # type: ignore[arg-type]
            self.blobs,
            Nowhere(),  # type: ignore[arg-type]
            [TASK],
            lambda to, frame: self.sent.append(frame),
        )


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = Office(tmp_path)
    for data in (MODEL, *UPDATES):
        made.blobs.put(data)
    return made


async def test_a_closed_round_is_signed_and_its_report_kept(office: Office) -> None:
    await office.clerk.settle(ROUND)
    (stated,) = office.sent
    assert isinstance(stated, wire.Stated)
    assert stated.statement == F.settle_body(CLOSED)
    digest = office.store.report(TASK, 1)
    assert digest is not None
    kept = decode_report(office.blobs.get(digest) or b"")
    assert kept.settle == stated.statement
    assert kept.report == explained(ROUND, FILES)


async def test_a_report_outlives_the_updates(office: Office) -> None:
    assert await office.clerk.report(ROUND) == explained(ROUND, FILES)
    assert office.store.report(TASK, 1) is None
    await office.clerk.settle(ROUND)
    for digest in FILES:
        (office.folder / digest.hex()).unlink()
    assert await office.clerk.report(ROUND) == explained(ROUND, FILES)


async def test_there_is_no_report_while_bytes_are_missing(office: Office) -> None:
    (office.folder / update_digest(UPDATES[1]).hex()).unlink()
    assert await office.clerk.report(ROUND) is None


async def test_a_damaged_report_is_made_again(office: Office) -> None:
    await office.clerk.settle(ROUND)
    (office.folder / (office.store.report(TASK, 1) or b"").hex()).write_bytes(b"junk")
    assert await office.clerk.report(ROUND) == explained(ROUND, FILES)


async def upload(office: Office, state: State, data: bytes) -> bytes:
    """Gateway 0 hands in an update of the open round; the digest in the receipt."""
    office.desk.state = state
    return (await office.clerk.take_update(data, sign_upload(F.gateway(0), update_digest(data)))).signature


async def test_a_full_disk_refuses_an_update_and_keeps_nothing_of_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = F.opened(F.enrolled())
    data = F.update(state, 0)
    office.blobs.erase(update_digest(data))

    def full(*_: object) -> None:
        raise DiskFull("disk full")

    broken: list[tuple[object, str]] = [(FolderBlobs, "put"), (Store, "add_upload")]
    for kind, method in broken:
        with monkeypatch.context() as patch:
            patch.setattr(kind, method, full)
            with pytest.raises(Rejected, match="disk_full: this validator has no room left; ask another"):
                await upload(office, state, data)
        assert office.store.upload(TASK, 1, "gateway-0") is None
        assert not office.blobs.has(update_digest(data))
    assert await upload(office, state, data)
    assert office.store.upload(TASK, 1, "gateway-0") == update_digest(data)


async def test_of_two_updates_at_once_only_the_first_stays(office: Office) -> None:
    state = F.opened(F.enrolled())
    first = F.update(state, 0)
    header = F.header(state, 0)
    second = encode_update(header, np.ones(header.d, np.int32))
    office.blobs.erase(update_digest(first))
    results = await asyncio.gather(*(upload(office, state, data) for data in (first, second)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Rejected)]
    assert [error.code for error in refused] == ["already_uploaded"]
    kept = [office.blobs.has(update_digest(data)) for data in (first, second)]
    assert sorted(kept) == [False, True]
