from __future__ import annotations

import pytest

from salus_edge.errors import Refused
from salus_edge.training.schedules import SCHEDULES, Parameters, read_parameters, schedule

PARAMETERS = Parameters(shared_epochs=3, personal_epochs=2, lr_shared=0.1, lr_personal=0.2, momentum=0.9, mu=0.5)


@pytest.mark.parametrize(
    ("name", "calibration", "feature", "personal"),
    [
        ("local", (), (), ("trunk", "head")),
        ("fedavg", ("base", "trunk", "head"), ("trunk", "head"), ()),
        ("fedprox", ("base", "trunk", "head"), ("trunk", "head"), ()),
        ("fedper", ("base", "trunk"), ("trunk",), ("head",)),
        ("fedrep", ("base", "trunk"), ("trunk",), ("head",)),
    ],
)
def test_the_base_drops_out_of_a_feature_round(
    name: str, calibration: tuple[str, ...], feature: tuple[str, ...], personal: tuple[str, ...]
) -> None:
    plan = schedule(name)
    assert plan.shared_in("calibration") == calibration
    assert plan.shared_in("feature") == feature
    assert plan.personal == personal


def test_what_is_personal_is_never_shared() -> None:
    for plan in SCHEDULES.values():
        assert not set(plan.personal) & set(plan.shared), plan.name


def test_fedavg_and_fedper_move_everything_in_one_phase() -> None:
    for name in ("fedavg", "fedper"):
        (only,) = schedule(name).phases(PARAMETERS)
        assert (only.epochs, only.lr_shared, only.lr_personal, only.mu) == (3, 0.1, 0.2, 0.5)


def test_fedrep_trains_the_head_then_what_is_under_it() -> None:
    head, rest = schedule("fedrep").phases(PARAMETERS)
    assert (head.epochs, head.lr_shared, head.lr_personal) == (2, 0.0, 0.2)
    assert (rest.epochs, rest.lr_shared, rest.lr_personal) == (3, 0.1, 0.0)


def test_an_unknown_algorithm_is_an_error_that_names_the_known_ones() -> None:
    with pytest.raises(Refused, match=r"unknown_algorithm.*fedmagic.*local, fedavg") as refused:
        schedule("fedmagic")
    assert refused.value.code == "unknown_algorithm"


def test_parameters_come_from_the_chain_in_millionths() -> None:
    assert read_parameters(PARAMETERS.to_chain()) == PARAMETERS
    assert dict(PARAMETERS.to_chain())["lr_shared"] == 100_000
    assert [name for name, _ in PARAMETERS.to_chain()] == sorted(dict(PARAMETERS.to_chain()))


@pytest.mark.parametrize("pair", [("speed", 3), ("mu", -1), ("shared_epochs", 1_001)])
def test_parameters_that_cannot_be_are_refused(pair: tuple[str, int]) -> None:
    with pytest.raises(Refused, match="bad_parameters"):
        read_parameters([pair])
