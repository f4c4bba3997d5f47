from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.errors import Rejected
from salus_chain.fixed import SCALE, to_fixed, to_float


@given(st.floats(-127.9, 127.9))
def test_rounding_is_half_to_even_on_the_grid(value: float) -> None:
    assert int(to_fixed(np.array([value]))[0]) == round(Fraction(value) * SCALE)


@given(st.integers(-(1 << 24), 1 << 24))
def test_what_fits_float32_comes_back(value: int) -> None:
    again = to_fixed(to_float(np.array([value], np.int32)))
    assert again.tolist() == [value]


@pytest.mark.parametrize(
    ("code", "value"),
    [("not_finite", np.nan), ("not_finite", np.inf), ("too_large", 128.0), ("too_large", -128.0)],
)
def test_what_has_no_place_on_the_grid_is_refused_with_its_index(code: str, value: float) -> None:
    with pytest.raises(Rejected, match="value 2 is") as refused:
        to_fixed(np.array([0.0, 1.0, value]))
    assert refused.value.code == code
