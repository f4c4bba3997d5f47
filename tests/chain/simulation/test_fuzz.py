"""The simulated consensus keeps its word under thousands of seeds, and the same seed is the same run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from salus_chain.cli import app
from salus_chain.simulation.fuzz import fuzz, replay, run
from salus_chain.simulation.plan import Plan
from salus_chain.simulation.planning import plan

RUN = CliRunner()
CHUNK = 250
EXERCISED = (
    "signed ROUND_CHANGE",
    "re-proposals",
    "body fetches",
    "evidence",
    "catch-up",
    "restarts with votes",
    "restarts with a lock",
    "timeouts",
    "too early",
    "invalid blocks",
    "crash at append",
    "crash at sync",
    "crash at send",
    "crash at decide",
    "crash at stored",
)


@pytest.mark.parametrize("first", range(0, 2_000, CHUNK))
def test_no_seed_violates_an_invariant(first: int) -> None:
    report = fuzz(first, CHUNK)
    assert [(each.seed, each.violation) for each in report.violations] == []
    assert report.seeds == CHUNK and report.simulated_ms > CHUNK * 1_000
    assert [name for name in EXERCISED if not report.counts[name]] == [], "the faults did not bite"


def test_every_trick_fault_style_and_size_occurs() -> None:
    plans = [plan(seed) for seed in range(2_000)]
    tricks = {trick for each in plans for _, chosen in each.liars for trick in chosen}
    kinds = {fault.kind for each in plans for fault in each.faults}
    assert len(tricks) == 19 and kinds == {
        "split", "isolate", "oneway", "lossy", "slow", "lose", "crash", "doom", "clock",
    }  # fmt: skip
    assert {each.style for each in plans} == {"storm", "locks", "churn", "stall", "calm"}
    assert {each.seats for each in plans} >= set(range(1, 11))
    assert (
        any(each.twins for each in plans) and any(each.changes for each in plans) and any(each.curve for each in plans)
    )


@pytest.mark.parametrize("seed", range(100))
def test_liars_are_fewer_than_a_third_and_the_living_a_quorum(seed: int) -> None:
    each = plan(seed)
    assert 3 * len(each.byzantine) < each.seats or not each.byzantine
    assert each.seats - len(each.byzantine) - len(each.lost) >= -(-2 * each.seats // 3)


def test_the_same_seed_is_the_same_run_in_another_process() -> None:
    """Nothing hangs on the order of a hash."""
    seeds = [seed for seed in range(200) if plan(seed).seats <= 6][:6]
    seeds += [next(seed for seed in range(200) if plan(seed).curve)]
    script = f"from salus_chain.simulation.fuzz import replay\nfor s in {seeds}: print('\\n'.join(replay(s)[1]))"
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    other = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
    ).stdout
    assert other == "".join("\n".join(replay(seed)[1]) + "\n" for seed in seeds)


def test_a_trace_does_not_change_its_run() -> None:
    assert replay(3)[0] == run(3)


def test_fuzz_writes_its_result_and_exits_0(tmp_path: Path) -> None:
    out = tmp_path / "fuzz.json"
    result = RUN.invoke(app, ["fuzz", "--seeds", "4", "--first", "10", "--jobs", "2", "--json", str(out)])
    assert result.exit_code == 0, result.output
    document = json.loads(out.read_text())
    assert (document["seeds"], document["violations"], document["found"]) == (4, 0, [])
    assert document["simulated_s"] > 1 and document["wall_s"] > 0 and document["counts"]["signed COMMIT"] > 0
    assert "4 seeds" in result.output and "0 violations" in result.output


def test_a_violation_is_printed_with_its_replay_and_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "bound_ms", 1)
    result = RUN.invoke(app, ["fuzz", "--seeds", "50", "--stop"])
    assert result.exit_code == 1 and "liveness" in result.output and "salus chain fuzz --replay" in result.output
    seed = result.output.split("--replay ")[1].split()[0]
    result = RUN.invoke(app, ["fuzz", "--replay", seed])
    assert result.exit_code == 1 and "all has healed" in result.output
    assert result.output.strip().splitlines()[-1].split()[2] == "liveness:"
