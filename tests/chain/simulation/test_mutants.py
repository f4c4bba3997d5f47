"""The simulator notices every deliberate breakage."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from salus_chain.cli import app
from salus_chain.simulation import mutants
from salus_chain.simulation.mutants import MUTANTS, Mutant, StaleMutant, Verdict, mutate, trial

SECONDS = 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_killed(mutant: Mutant) -> None:
    verdict = trial(mutant, SECONDS)
    assert verdict.killed and verdict.invariant not in ("", "crash"), verdict


def test_names_are_their_own_and_every_mutant_changes_its_text() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 12
    assert all(mutant.old != mutant.new for mutant in MUTANTS)


def test_a_stale_mutant_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StaleMutant, match="0 times"):
        mutate(replace(MUTANTS[0], old="no such text"), tmp_path)


def test_what_is_no_breakage_survives() -> None:
    verdict = trial(Mutant("harmless", mutants.CORE, "first_ms: int = 400", "first_ms: int = 401"), 3)
    assert (verdict.killed, verdict.invariant) == (False, "")


def test_the_command_exits_1_when_one_survives(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def tried(mutant: Mutant, seconds: float) -> Verdict:
        return Verdict(mutant.name, mutant is MUTANTS[0], seconds, 3, "agreement")

    monkeypatch.setattr(mutants, "trial", tried)
    out = tmp_path / "mutants.json"
    result = CliRunner().invoke(app, ["mutants", "--seconds", "8", "--jobs", "2", "--json", str(out)])
    assert result.exit_code == 1 and "SURVIVED" in result.output
    assert f"1 of {len(MUTANTS)} mutants killed" in result.output
    document = json.loads(out.read_text())
    assert (document["mutants"], document["killed"]) == (len(MUTANTS), 1) and document["wall_s"] >= 0
    first = {"name": MUTANTS[0].name, "killed": True, "seconds": 8.0, "seed": 3, "invariant": "agreement"}
    assert document["rows"][0] == first and not any(row["killed"] for row in document["rows"][1:])
