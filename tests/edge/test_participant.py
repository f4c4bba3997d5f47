"""A round is joined once, whatever happens on the way: validators away, a lie, a full disk, a late commit."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from dataclasses import dataclass, field, replace

import pytest

from salus_chain.errors import Rejected, Unreachable
from salus_chain.fixed import Int32s
from salus_chain.keys import PemSigner, Signer
from salus_chain.rules.transactions import Commit, Receipt, read_transaction
from salus_chain.updates import decode_update, update_digest
from salus_chain.views import RoundView
from salus_edge import rounds as module
from salus_edge.config import Settings
from salus_edge.learner import Learner
from salus_edge.rounds import Participant
from salus_edge.store import Database, rounds
from tests.edge.world import first_model, live, round_view


@dataclass
class ScriptedClient:
    """Validators that fail `failures` times at each question before they answer."""

    view: RoundView
    model_values: Int32s
    failures: int = 0
    refuse: str = ""
    uploads: list[bytes] = field(default_factory=list)
    commits: list[Commit] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)

    def _fail(self, what: str) -> None:
        self.asked[what] = self.asked.get(what, 0) + 1
        if self.asked[what] <= self.failures:
            raise Unreachable("no validator answered")

    async def round(self, task: str, number: int) -> RoundView | None:
        self._fail("round")
        return self.view if number == self.view.round else None

    async def model(self, digest: bytes) -> Int32s:
        self._fail("model")
        return self.model_values

    async def put_update(self, update: bytes, signer: Signer) -> tuple[Receipt, ...]:
        self._fail("put_update")
        self.uploads.append(update)
        return (Receipt(b"\2" * 33, bytes(64)),)

    async def next_nonce(self, public_key: bytes) -> int:
        return len(self.commits)

    async def submit(self, tx: bytes) -> bytes:
        self._fail("submit")
        if self.refuse:
            raise Rejected(self.refuse, "says the script")
        body = read_transaction(tx).body
        assert isinstance(body, Commit)
        self.commits.append(body)
        self.view = replace(self.view, commits={body.gateway: body.digest})
        return bytes(32)

    async def wait_final(self, tx_id: bytes, timeout_s: float) -> int:
        return 1


@pytest.fixture
def learner(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Learner:
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    live(settings, database, "anna", ("setup",))
    live(settings, database, "bert", ("setup",))
    return Learner(settings, database)


def view_for(settings: Settings, open_s: float = 30.0) -> RoundView:
    return round_view(settings, deadline_ms=int((time.time() + open_s) * 1000))


async def take_part(learner: Learner, client: ScriptedClient) -> None:
    participant = Participant(client, PemSigner.load(learner.settings.key), learner)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        participant.start(group, learner.settings.arms[0], client.view)
        assert not participant.idle.is_set()
    assert participant.idle.is_set()


def status(database: Database) -> str:
    found = rounds.record(database, "wave", 1)
    return "" if found is None else found.status


@pytest.mark.parametrize("failures", [0, 2])
async def test_what_is_committed_is_what_is_stored_however_often_validators_are_away(
    failures: int, learner: Learner, settings: Settings, database: Database
) -> None:
    client = ScriptedClient(view_for(settings), first_model(settings), failures)
    await take_part(learner, client)
    record = rounds.record(database, "wave", 1)
    assert record is not None
    assert record.file is not None
    assert set(client.uploads) == {record.file}
    (commit,) = client.commits
    header = decode_update(record.file)[0]
    assert (commit.digest, commit.header) == (update_digest(record.file), header)
    assert record.status == "committed"


async def test_a_round_that_closed_is_left_and_its_bytes_are_kept(
    learner: Learner, settings: Settings, database: Database
) -> None:
    client = ScriptedClient(replace(view_for(settings), status="closed"), first_model(settings))
    await take_part(learner, client)
    assert (client.uploads, client.commits, status(database)) == ([], [], "trained")


async def test_a_commit_against_a_rule_is_not_tried_again(
    learner: Learner, settings: Settings, database: Database
) -> None:
    client = ScriptedClient(view_for(settings), first_model(settings), refuse="revoked_gateway")
    await take_part(learner, client)
    assert client.asked["submit"] == 1
    record = rounds.record(database, "wave", 1)
    assert record is not None
    assert record.file is not None  # a second draw is still impossible


async def test_a_round_from_an_unproven_model_is_sat_out_before_any_training(
    learner: Learner, settings: Settings, database: Database
) -> None:
    lie = replace(view_for(settings), model_before=bytes([6]) * 32)
    client = ScriptedClient(lie, first_model(settings))
    await take_part(learner, client)
    record = rounds.record(database, "wave", 1)
    assert record is not None
    assert (record.status, record.file, client.uploads) == ("sat_out", None, [])
    assert "neither the package's" in record.reason


async def test_a_full_disk_ends_the_round_and_not_the_gateway(
    learner: Learner, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bytes:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(rounds, "put_update", full)
    client = ScriptedClient(view_for(settings), first_model(settings))
    await take_part(learner, client)
    assert (client.uploads, client.commits, status(database)) == ([], [], "")


async def test_without_validators_until_the_deadline_the_round_is_left(
    learner: Learner, settings: Settings, database: Database
) -> None:
    client = ScriptedClient(view_for(settings, open_s=0.3), first_model(settings), failures=1_000_000)
    await take_part(learner, client)
    assert client.commits == []
