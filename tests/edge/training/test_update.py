"""An update is the mean of clipped deltas in integers, or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from salus_chain.fixed import SCALE
from salus_chain.updates import UpdateHeader, decode_update
from salus_edge.errors import Refused
from salus_edge.training.update import clip, combine, delta, update_file

HEADER = UpdateHeader(bytes(32), "wave", 1, "gateway-0", bytes(32), bytes(32), 2, 3)
VECTORS = arrays(np.float32, 3, elements=st.floats(-50, 50, width=32))


@given(VECTORS, st.floats(0.01, 10))
def test_clipping_bounds_the_norm_and_keeps_the_direction(values: np.ndarray, bound: float) -> None:
    clipped = clip(values, bound)
    assert np.linalg.norm(clipped.astype(np.float64)) <= bound * (1 + 1e-6)
    assert np.allclose(np.cross(values, clipped), 0, atol=1e-3)


@given(st.lists(VECTORS, min_size=1, max_size=4), st.floats(0.01, 10))
def test_an_update_is_longer_than_the_clip_norm_by_rounding_at_most(deltas: list[np.ndarray], bound: float) -> None:
    steps = np.linalg.norm(combine(deltas, bound).astype(np.float64))
    assert steps <= bound * SCALE + 0.5 * np.sqrt(3) + 1e-6


@given(st.lists(VECTORS, min_size=1, max_size=4))
def test_an_update_is_the_mean_over_patients(deltas: list[np.ndarray]) -> None:
    wanted = np.mean([clip(each, 1.0).astype(np.float64) for each in deltas], axis=0)
    assert np.abs(combine(deltas, 1.0) / SCALE - wanted).max() <= 0.5 / SCALE


def test_only_the_shared_variables_are_in_a_delta() -> None:
    before, after = np.zeros(5, np.float32), np.arange(5, dtype=np.float32)
    assert delta(before, after, np.array([1, 3])).tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("deltas", "code"),
    [
        ([], "no_patients"),
        ([[1.0, float("nan"), 0.0]], "not_finite"),
        ([[1.0, float("inf"), 0.0]], "not_finite"),
        ([[1.0, 2.0, 3.0], [1.0]], "wrong_shape"),
        ([[200.0, 0.0, 0.0]], "too_large"),
    ],
)
def test_what_cannot_be_an_update_is_refused(deltas: list[list[float]], code: str) -> None:
    with pytest.raises(Refused) as refused:
        combine([np.array(each, np.float32) for each in deltas], 1000.0)
    assert refused.value.code == code


def test_an_update_of_another_length_than_its_round_is_refused() -> None:
    with pytest.raises(Refused, match="wrong_shape"):
        update_file(HEADER, np.zeros(4, np.int32))
    with pytest.raises(Refused, match="wrong_shape"):
        delta(np.zeros(4, np.float32), np.zeros(5, np.float32), np.array([0]))


def test_an_update_file_reads_back() -> None:
    values = np.array([1, -2, 3], np.int32)
    header, body = decode_update(update_file(HEADER, values))
    assert header == HEADER
    assert np.array_equal(body, values)
