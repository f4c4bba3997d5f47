"""`salus chain status`: a table, the stall in words, and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from salus_chain.cli import app
from salus_chain.client import ChainClient
from salus_chain.errors import Unreachable
from salus_chain.genesis import write_genesis
from salus_chain.light.proofs import ProofKind
from salus_chain.rules.roster import Roster
from salus_chain.standing import with_report
from salus_chain.views import SeatView, Status
from tests.chain.federation import federation

F = federation()


def seen(there: set[int], heights: dict[int, int]) -> tuple[SeatView, ...]:
    return tuple(
        SeatView(each.name, each.public_key, each.url, heights.get(seat, 11), 3, 0, seat in there)
        for seat, each in enumerate(F.genesis.validators)
    )


@pytest.fixture
def genesis(tmp_path: Path) -> str:
    write_genesis(tmp_path / "genesis.toml", F.genesis)
    return str(tmp_path / "genesis.toml")


def answering(monkeypatch: pytest.MonkeyPatch, heights: dict[int, int]) -> None:
    """Validators that answer, with their heights; the others do not."""

    async def status_of(self: ChainClient, url: str) -> Status:
        seat = int(url.rpartition(":")[2]) - 8000
        if seat not in heights:
            raise Unreachable("gone")
        seats = seen(set(heights), heights)
        return with_report(Status(f"hospital-{seat}", F.genesis.chain_id, heights[seat], 0, 3, quorum=3, seats=seats))

    async def members(self: ChainClient) -> Roster:
        raise Unreachable(f"no proof of {ProofKind.MEMBERS}")

    monkeypatch.setattr(ChainClient, "status_of", status_of)
    monkeypatch.setattr(ChainClient, "members", members)


def test_with_a_quorum_it_is_a_table_and_exit_0(monkeypatch: pytest.MonkeyPatch, genesis: str) -> None:
    answering(monkeypatch, {0: 11, 1: 11, 3: 9})
    result = CliRunner().invoke(app, ["status", "--genesis", genesis])
    assert result.exit_code == 0, result.output
    head, *rows, report = result.output.splitlines()
    assert head.split()[:5] == ["validator", "height", "round", "there", "lag"]
    assert rows[0].split()[:5] == ["hospital-0", "11", "3", "3/4", "0"]
    assert "does not answer" in rows[2] and rows[3].split()[:5] == ["hospital-3", "9", "3", "3/4", "2"]
    assert report.startswith("height 12, round 3: hospital-2 does not answer, hospital-3 is at height 10")


def test_without_a_quorum_it_says_what_is_missing_and_exits_1(monkeypatch: pytest.MonkeyPatch, genesis: str) -> None:
    answering(monkeypatch, {0: 11, 1: 11})
    result = CliRunner().invoke(app, ["status", "--genesis", genesis])
    assert result.exit_code == 1
    assert "hospital-2 and hospital-3 do not answer, 2 of 4 are there, 3 are needed" in result.output
    assert "2 of 4 validators answer; 3 are needed" in result.output


def test_a_program_reads_it_as_json(monkeypatch: pytest.MonkeyPatch, genesis: str) -> None:
    answering(monkeypatch, {0: 11, 1: 11, 2: 11, 3: 11})
    fields = json.loads(CliRunner().invoke(app, ["status", "--genesis", genesis, "--json"]).output)
    assert (fields["answering"], fields["quorum"]) == (4, 3)
    assert [row["height"] for row in fields["validators"]] == [11] * 4
    assert fields["report"] == "height 12, round 3: 4 of 4 are there"
