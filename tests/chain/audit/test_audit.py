"""A whole chain replayed: what holds is told, and the first thing that does not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from salus_chain.audit.archive import read_blocks, read_head, write_archive
from salus_chain.audit.lineage import Settled
from salus_chain.audit.recompute import Outcome, again
from salus_chain.audit.replay import Replay
from salus_chain.audit.report import lines, made
from salus_chain.audit.sources import open_chain
from salus_chain.cli import app
from salus_chain.codec import encode
from salus_chain.consensus.messages import Decided
from salus_chain.errors import AuditError, ChainError, ConfigError, DecodeError, Unreachable
from salus_chain.genesis import write_genesis
from salus_chain.keys import KeySigner
from salus_chain.node.storage.blobs import FolderBlobs
from salus_chain.rules.blocks import transactions_root
from salus_chain.rules.state import state_root
from salus_chain.rules.transactions import Seal
from salus_chain.views import Status, to_json
from tests.chain.federation import MODEL, MODEL_DIGEST, TASK
from tests.chain.kept import F, H, Kept, lived

OTHER = replace(F.genesis, federation="other")

RUN = CliRunner()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return lived(tmp_path_factory.mktemp("chain"))


@pytest.fixture(scope="module")
def blocks(kept: Kept) -> list[Decided]:
    return [Decided(*each) for each in kept.store.range(1, 1_000, 1 << 30)]


@pytest.fixture
def genesis(tmp_path: Path) -> Path:
    write_genesis(tmp_path / "genesis.toml", F.genesis)
    return tmp_path / "genesis.toml"


def archived(blocks: list[Decided]) -> bytes:
    file = BytesIO()
    size = write_archive(file, F.genesis.chain_id, len(blocks), blocks)
    assert size == len(file.getvalue())
    return file.getvalue()


def replayed(blocks: list[Decided]) -> Replay:
    replay = Replay.of(F.genesis)
    for each in blocks:
        replay.add(each)
    return replay


def test_a_replay_ends_in_the_validators_state(kept: Kept, blocks: list[Decided]) -> None:
    replay = replayed(blocks)
    assert replay.state == kept.state and state_root(replay.state) == state_root(kept.state)
    assert replay._committed == {}  # nothing is kept of a round that is over
    assert replay.set_changes == [(14, 5)] and replay.convicted == {}
    assert sum(replay.kinds.values()) == sum(len(each.block.transactions) for each in blocks)


def test_the_making_of_a_model_is_told_back_to_its_approval(kept: Kept, blocks: list[Decided]) -> None:
    replay = replayed(blocks)
    model = kept.state.tasks[TASK].model_digest
    assert made(replay, "", TASK, None) == made(replay, model.hex(), "", None) == made(replay, model.hex(), TASK, None)
    text = "\n".join(lines(replay, made(replay, "", TASK, None)))
    for commit in kept.state.rounds[TASK].commits:
        assert commit.digest.hex() in text
    assert "gateway-1 (hospital-1), weight 2, score 800, committed at height 9" in text
    assert f"and model {MODEL_DIGEST.hex()}" in text and "approval 1 by a quorum at height 1" in text
    first = made(replay, MODEL_DIGEST.hex(), "", None)
    assert len(first) == 1 and first[0].outcome is None


@pytest.mark.parametrize(("model", "task"), [("ab" * 32, ""), ("zz", ""), ("", "other"), (MODEL_DIGEST.hex(), "other")])
def test_a_model_that_nobody_made_is_said_so(blocks: list[Decided], model: str, task: str) -> None:
    with pytest.raises(AuditError):
        made(replayed(blocks), model, task, None)


def test_sums_are_done_again_where_the_bytes_are_and_not_where_they_are_erased(
    blocks: list[Decided], tmp_path: Path
) -> None:
    blobs = FolderBlobs(tmp_path)
    settled = made(replayed(blocks), "", TASK, None)[0].step
    assert isinstance(settled, Settled)
    assert again(settled, blobs) is Outcome.ERASED and again(settled, None) is Outcome.NOT_ASKED
    opened = F.opened(F.enrolled())
    for data in [MODEL, *(F.update(opened, number) for number in range(3))]:
        assert again(settled, blobs) is Outcome.ERASED
        blobs.put(data)
    assert again(settled, blobs) is Outcome.RECOMPUTED
    fewer = replace(settled.closed, commits=settled.closed.commits[:2])
    for wrong in [replace(settled, body=replace(settled.body, model_after=H)), replace(settled, closed=fewer)]:
        with pytest.raises(AuditError, match="the bytes give model"):
            again(wrong, blobs)
    heavier = replace(settled.closed, commits=(replace(settled.closed.commits[0], weight=9),))
    with pytest.raises(AuditError, match="cannot be aggregated: wrong_update"):
        again(replace(settled, closed=heavier), blobs)


def tampered(blocks: list[Decided], at: int, **changes: object) -> list[Decided]:
    """One block's header changed and signed again by its validators: a quorum that lies."""
    block = blocks[at].block
    forged = replace(block, header=replace(block.header, **changes))  # type: ignore[arg-type]
    return [*blocks[:at], Decided(forged, F.certify(forged)), *blocks[at + 1 :]]


def test_the_first_block_that_does_not_hold_is_named(blocks: list[Decided]) -> None:
    other = Decided(blocks[3].block, blocks[4].certificate)
    seals = blocks[3].certificate.seals
    few = Decided(blocks[3].block, replace(blocks[3].certificate, seals=seals[:2]))
    forged = Decided(blocks[3].block, replace(blocks[3].certificate, seals=(*seals[:2], Seal(3, seals[2].signature))))
    cases: list[tuple[list[Decided], str]] = [
        ([*blocks[:3], other], "block 4: not_final"),
        ([*blocks[:3], few], "block 4: not_final"),
        ([*blocks[:3], forged], "block 4: not_final"),
        ([*blocks[:3], *blocks[4:]], "block 5: wrong_height"),
        (tampered(blocks, 3, state_root=H), "block 4: wrong_header"),
        (tampered(blocks, 3, next_validators_hash=H), "block 4: wrong_header"),
        (tampered(blocks, 3, time_ms=1), "block 4: wrong_time"),
        (tampered(blocks, 3, parent=H), "block 4: wrong_parent"),
        ([*blocks[:3], Decided(replace(blocks[3].block, transactions=()), blocks[3].certificate)], "not_final"),
    ]
    for chain, reason in cases:
        with pytest.raises(AuditError, match=reason):
            replayed(chain)


def test_a_transaction_that_the_rules_refuse_is_found_though_a_quorum_signed_the_block(blocks: list[Decided]) -> None:
    again = replace(blocks[4].block, transactions=blocks[3].block.transactions)
    header = replace(again.header, transactions_root=transactions_root(again.transactions))
    forged = replace(again, header=header)
    with pytest.raises(AuditError, match=r"block 5: (wrong_nonce|key_used)"):
        replayed([*blocks[:4], Decided(forged, F.certify(forged))])


def test_an_archive_gives_the_blocks_back(blocks: list[Decided]) -> None:
    file = BytesIO(archived(blocks))
    assert read_head(file) == (F.genesis.chain_id, len(blocks))
    assert list(read_blocks(file, len(blocks))) == blocks


def test_an_archive_that_was_cut_off_or_changed_is_refused(blocks: list[Decided]) -> None:
    data = archived(blocks)
    last = len(data) - len(encode((blocks[-1].block.value(), blocks[-1].certificate.value()))) - 4
    for cut in [0, 3, 4, 30, last, last + 2, last + 4, len(data) - 1]:
        with pytest.raises(DecodeError):
            file = BytesIO(data[:cut])
            list(read_blocks(file, read_head(file)[1]))
    with pytest.raises(DecodeError, match="at most"):
        read_head(BytesIO(b"\xff" * 100))
    for wrong in [blocks[1:], blocks[:-1], [blocks[0], blocks[0]]]:
        with pytest.raises(DecodeError, match="archive"):
            write_archive(BytesIO(), F.genesis.chain_id, len(blocks), wrong)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_archive(data: bytes) -> None:
    with pytest.raises(DecodeError):
        file = BytesIO(data)
        list(read_blocks(file, read_head(file)[1] + 1))


def test_a_running_validators_database_is_read_and_not_touched(kept: Kept, blocks: list[Decided]) -> None:
    [path] = {Path(row[2]) for row in sqlite3.connect(database(kept)).execute("PRAGMA database_list")}
    before = path.read_bytes()
    with open_chain(str(path), F.genesis) as chain:
        assert chain.height == len(blocks) and list(chain.blocks) == blocks
    assert path.read_bytes() == before


def database(kept: Kept) -> Path:
    return kept.store._database.path


def test_a_validators_url_is_read_block_by_block(blocks: list[Decided]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/status":
            return httpx.Response(200, content=to_json(Status("hospital", F.genesis.chain_id, len(blocks), 1)))
        assert request.headers["Accept"] == "application/cbor"  # else it is JSON for people
        each = blocks[int(request.url.path.removeprefix("/blocks/")) - 1]
        return httpx.Response(200, content=encode((each.block.value(), each.certificate.value())))

    def gone(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("gone")

    url = "https://hospital:1"
    with open_chain(url, F.genesis, httpx.MockTransport(answer)) as chain:
        assert list(chain.blocks) == blocks
    wrong: list[tuple[Callable[[httpx.Request], httpx.Response], type[ChainError], str]] = [
        (lambda request: httpx.Response(500), Unreachable, "status 500"),
        (gone, Unreachable, "ConnectError"),
        (lambda request: httpx.Response(200, content=b"junk"), AuditError, url),
    ]
    for handle, error, reason in wrong:
        with pytest.raises(error, match=reason), open_chain(url, F.genesis, httpx.MockTransport(handle)):
            pass


def test_another_chains_archive_and_no_file_are_said_so(blocks: list[Decided], tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(archived(blocks))
    with pytest.raises(AuditError, match="the genesis makes another"), open_chain(str(tmp_path / "a"), OTHER):
        pass
    with pytest.raises(ConfigError, match="No such file"), open_chain(str(tmp_path / "b"), OTHER):
        pass
    (tmp_path / "c").write_bytes(b"SQLite format 3\0 and nothing")
    with pytest.raises(AuditError, match="not a validator's database"), open_chain(str(tmp_path / "c"), OTHER):
        pass


def test_export_then_audit_from_the_command_line(kept: Kept, genesis: Path, tmp_path: Path) -> None:
    out, options = tmp_path / "chain.cbor", ["--genesis", str(genesis)]
    exported = RUN.invoke(app, ["export", str(database(kept)), *options, "--out", str(out)])
    assert exported.exit_code == 0, exported.output
    told = RUN.invoke(app, ["audit", str(out), *options, "--task", TASK])
    assert (
        told.exit_code == 0 and "settled by quorum" in told.output and f"ok  {kept.state.height} blocks" in told.output
    )
    blobs = FolderBlobs(tmp_path / "blobs")
    erased = RUN.invoke(app, ["audit", str(out), *options, "--task", TASK, "--blobs", str(tmp_path / "blobs")])
    assert "bytes erased, settled by quorum" in erased.output
    for data in [MODEL, *(F.update(F.opened(F.enrolled()), number) for number in range(3))]:
        blobs.put(data)
    command = ["audit", str(database(kept)), *options, "--task", TASK, "--blobs", str(tmp_path / "blobs"), "--json"]
    document = json.loads(RUN.invoke(app, command).output)
    assert document["height"] == kept.state.height and document["origin"][0]["sums"] == "recomputed from the bytes"
    assert [update["gateway"] for update in document["origin"][0]["updates"]] == ["gateway-0", "gateway-1", "gateway-2"]
    damaged = bytearray(out.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    out.write_bytes(damaged)
    failed = RUN.invoke(app, ["audit", str(out), *options])
    assert failed.exit_code == 1 and "FAILED" in failed.output


def test_an_equivocation_is_told() -> None:
    liar: KeySigner = F.validators[2]
    state = F.enrolled()
    block, after = F.block(state, F.evidence(liar))
    replay = Replay.of(F.genesis)
    replay.state = state
    replay.add(Decided(block, F.certify(block)))
    assert replay.state == after
    assert f"hospital-2 ({liar.public_key.hex()[:16]}) was convicted" in "\n".join(lines(replay, ()))
