"""Every algorithm is a schedule of phases, and says what it shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_edge.errors import Refused
from salus_edge.training.schedules import SCHEDULES, Parameters, read_parameters, schedule

ROUND = Parameters(shared_epochs=2, personal_epochs=3, lr_shared=0.1, lr_personal=0.2, momentum=0.9, mu=0.01)


@pytest.mark.parametrize(
    ("name", "calibration", "feature"),
    [
        ("local", (), ()),
        ("fedavg", ("base", "trunk", "head"), ("trunk", "head")),
        ("fedprox", ("base", "trunk", "head"), ("trunk", "head")),
        ("fedper", ("base", "trunk"), ("trunk",)),
        ("fedrep", ("base", "trunk"), ("trunk",)),
    ],
)
def test_the_base_drops_out_of_feature_rounds(
    name: str, calibration: tuple[str, ...], feature: tuple[str, ...]
) -> None:
    assert schedule(name).shared_in("calibration") == calibration
    assert schedule(name).shared_in("feature") == feature
    assert not set(calibration) & set(schedule(name).personal)


def test_fedrep_moves_the_head_first_and_then_the_rest() -> None:
    head, body = SCHEDULES["fedrep"].phases(ROUND)
    assert (head.epochs, head.lr_shared, head.lr_personal) == (3, 0.0, 0.2)
    assert (body.epochs, body.lr_shared, body.lr_personal) == (2, 0.1, 0.0)


@pytest.mark.parametrize("name", ["local", "fedavg", "fedper"])
def test_the_others_move_both_parts_in_one_phase(name: str) -> None:
    (only,) = SCHEDULES[name].phases(ROUND)
    assert (only.epochs, only.lr_shared, only.lr_personal, only.mu) == (2, 0.1, 0.2, 0.01)


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(Refused, match="unknown_algorithm: 'fedmagic'"):
        schedule("fedmagic")


@given(
    st.builds(
        Parameters,
        shared_epochs=st.integers(0, 1000),
        personal_epochs=st.integers(0, 1000),
        **{
            name: st.integers(0, 10_000_000).map(lambda ppm: ppm / 1_000_000)
            for name in ("lr_shared", "lr_personal", "momentum", "weight_decay", "mu", "clip")
        },
    )
)
def test_parameters_survive_the_chain(parameters: Parameters) -> None:
    pairs = parameters.to_chain()
    assert [name for name, _ in pairs] == sorted(name for name, _ in pairs)
    assert read_parameters(pairs) == parameters
    assert read_parameters((*pairs, ("rule_byzantine", 1))) == parameters


@pytest.mark.parametrize("pair", [("speed", 1), ("mu", -1), ("shared_epochs", 1001)])
def test_parameters_out_of_range_are_refused(pair: tuple[str, int]) -> None:
    with pytest.raises(Refused, match="bad_parameters"):
        read_parameters([pair])
