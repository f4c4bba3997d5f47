from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from salus_chain.fixed import SCALE, to_float
from salus_chain.updates import UpdateHeader, decode_update
from salus_edge.errors import Refused
from salus_edge.training.update import clip, combine, delta, update_file

Floats = NDArray[np.float32]
deltas = st.lists(arrays.arrays(np.float32, 5, elements=st.floats(-50, 50, width=32)), min_size=1, max_size=5)


def header(d: int = 5) -> UpdateHeader:
    return UpdateHeader(bytes(32), "motion", 3, "gateway-0", bytes(32), bytes(32), 2, d)


@given(deltas, st.floats(0.1, 20.0))
def test_an_update_is_never_longer_than_the_clip_norm(patients: list[Floats], bound: float) -> None:
    norm = float(np.linalg.norm(combine(patients, bound) / SCALE))
    assert norm <= bound + np.sqrt(5) / SCALE


@given(deltas)
def test_below_the_clip_norm_an_update_is_the_mean_on_the_grid(patients: list[Floats]) -> None:
    plain = [sum(float(each[at]) for each in patients) / len(patients) for at in range(5)]
    assert np.abs(combine(patients, 1_000.0) / SCALE - plain).max() <= 0.51 / SCALE + 1e-9


@given(deltas)
def test_an_update_does_not_depend_on_the_order_of_patients(patients: list[Floats]) -> None:
    there, back = combine(patients, 3.0), combine(patients[::-1], 3.0)
    assert np.abs(there.astype(np.int64) - back).max() <= 1


@given(arrays.arrays(np.float32, 5, elements=st.floats(-50, 50, width=32)), st.floats(0.1, 20.0))
def test_clipping_keeps_the_direction(values: Floats, bound: float) -> None:
    clipped = clip(values, bound)
    scale = min(1.0, bound / max(float(np.linalg.norm(values.astype(np.float64))), 1e-30))
    assert clipped == pytest.approx(values * scale, rel=1e-5, abs=1e-6)


def test_only_the_shared_variables_are_in_a_delta() -> None:
    before, after = np.zeros(4, np.float32), np.arange(4, dtype=np.float32)
    assert delta(before, after, np.array([1, 3])).tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("patients", "bound", "code"),
    [
        ([], 1.0, "no_patients"),
        ([np.array([0.0, np.nan], np.float32)], 1.0, "not_finite"),
        ([np.array([0.0, np.inf], np.float32)], 1.0, "not_finite"),
        ([np.array([0.0, 200.0], np.float32)], 1e9, "too_large"),
        ([np.zeros(2, np.float32), np.zeros(3, np.float32)], 1.0, "wrong_shape"),
        ([np.zeros((2, 2), np.float32)], 1.0, "wrong_shape"),
    ],
)
def test_what_cannot_be_an_update_is_refused(patients: list[Floats], bound: float, code: str) -> None:
    with pytest.raises(Refused) as refused:
        combine(patients, bound)
    assert refused.value.code == code


def test_weights_of_two_layouts_have_no_delta() -> None:
    with pytest.raises(Refused, match="wrong_shape"):
        delta(np.zeros(4, np.float32), np.zeros(5, np.float32), np.array([0]))


def test_the_file_holds_header_and_values() -> None:
    values = combine([np.linspace(-1, 1, 5, dtype=np.float32)], 10.0)
    read_header, read_values = decode_update(update_file(header(), values))
    assert read_header == header()
    assert to_float(read_values) == pytest.approx(np.linspace(-1, 1, 5), abs=1e-6)


def test_a_file_of_another_length_than_the_round_shares_is_refused() -> None:
    with pytest.raises(Refused, match="wrong_shape"):
        update_file(header(6), np.zeros(5, np.int32))
