"""coordinator.toml: what is read, what is refused, and how it stands on chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus_coordinator.config import RoundPlan, expand, read_config
from salus_coordinator.errors import ConfigError

HEAD = """
genesis = "genesis.toml"
key = "c.pem"
release_key = "r.pem"
model = "model"
builder = "http://127.0.0.1:1"
"""
ROUND = '[[rounds]]\nkind = "feature"\nalgorithm = "fedrep"\n'


def write(path: Path, text: str) -> Path:
    (path / "coordinator.toml").write_text(text)
    return path / "coordinator.toml"


def test_defaults_fill_a_short_file(tmp_path: Path) -> None:
    config = read_config(write(tmp_path, HEAD + ROUND))
    assert config.progress == "progress.jsonl"
    assert config.rounds[0].rule == "clipped_mean"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "typo = 1\n" + ROUND, "typo"),
        (HEAD + ROUND + "lr = 0.1\n", "lr"),
        (HEAD + ROUND.replace("fedrep", "magic"), "magic"),
        (HEAD + ROUND + "repeat = 0\n", "repeat"),
        (HEAD + ROUND + 'rule = "best"\n', "best"),
        (HEAD + ROUND + 'rule = "trimmed_mean"\n', "rule_beta_per_mille"),
        (HEAD + ROUND + 'rule = "multi_krum"\nmin_updates = 4\nrule_parameters = { byzantine = 1 }\n', "min_updates"),
        (HEAD + "rounds = []\n", "one round"),
        (HEAD + ROUND + '[[arms]]\ntask = "x"\n[[arms.rounds]]\nkind = "calibration"\nalgorithm = "fedavg"\n', "arm x"),
    ],
    ids=[
        "unknown key",
        "unknown round key",
        "algorithm",
        "repeat",
        "rule",
        "parameter",
        "too few",
        "no round",
        "calibrating arm",
    ],
)
def test_a_wrong_file_is_refused_by_key(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_config(write(tmp_path, text))


def test_rates_become_parts_per_million_sorted_by_name() -> None:
    plan = RoundPlan(kind="feature", algorithm="fedavg", lr_shared=0.03, shared_epochs=4, momentum=0.9, clip=1.5)
    found = dict(plan.parameters())
    assert (found["lr_shared"], found["shared_epochs"], found["momentum"], found["clip"]) == (
        30_000,
        4,
        900_000,
        1_500_000,
    )
    assert [name for name, _ in plan.parameters()] == sorted(found)
    assert plan.norm_bound == 3 << 23


def test_a_rules_parameters_stand_among_the_rounds_with_a_prefix() -> None:
    plan = RoundPlan(
        kind="feature", algorithm="fedavg", rule="multi_krum", rule_parameters={"byzantine": 1}, min_updates=5
    )
    assert dict(plan.parameters())["rule_byzantine"] == 1
    assert list(plan.parameters()) == sorted(plan.parameters())


@pytest.mark.parametrize(
    ("kind", "algorithm", "groups"),
    [
        ("calibration", "fedavg", ("base", "trunk", "head")),
        ("calibration", "fedper", ("base", "trunk")),
        ("feature", "fedavg", ("trunk", "head")),
        ("feature", "fedrep", ("trunk",)),
    ],
)
def test_what_is_shared_follows_algorithm_and_kind(kind: str, algorithm: str, groups: tuple[str, ...]) -> None:
    assert RoundPlan(kind=kind, algorithm=algorithm).groups == groups  # type: ignore[arg-type]


def test_repeats_are_rounds_of_their_own() -> None:
    plan = RoundPlan(kind="feature", algorithm="fedavg", repeat=3)
    assert len(expand([plan, plan])) == 6
