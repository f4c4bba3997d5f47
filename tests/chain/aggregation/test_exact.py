from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.aggregation.exact import cosine_per_mille, divide, divide_limbs, dot, norm, squared_norm

WIDE = st.integers(-(1 << 33), 1 << 33) | st.integers(-3, 3) | st.sampled_from([-(1 << 33), 1 << 33])
PAIRS = st.lists(st.tuples(WIDE, WIDE), min_size=1, max_size=30)


def vectors(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    left, right = np.array(pairs, np.int64).T
    return left, right


@given(PAIRS)
def test_inner_products_are_exact(pairs: list[tuple[int, int]]) -> None:
    assert dot(*vectors(pairs)) == sum(left * right for left, right in pairs)


@given(st.lists(st.integers(-(1 << 31), (1 << 31) - 1), min_size=1, max_size=50))
def test_norms_are_exact_also_of_int32(values: list[int]) -> None:
    square = sum(value * value for value in values)
    assert squared_norm(np.array(values, np.int32)) == square
    assert norm(np.array(values, np.int32)) == isqrt(square)


def test_a_sum_that_just_fills_int64_is_still_exact() -> None:
    for value, count in (((1 << 31) - 1, 2), (-(1 << 31), 2), (-(1 << 31), 3)):
        assert squared_norm(np.full(count, value, np.int32)) == count * value * value


@given(PAIRS)
def test_a_cosine_is_cut_towards_zero_at_a_thousandth(pairs: list[tuple[int, int]]) -> None:
    left, right = vectors(pairs)
    cosine = cosine_per_mille(left, right)
    product, scale = sum(x * y for x, y in pairs), sum(x * x for x, _ in pairs) * sum(y * y for _, y in pairs)
    assert abs(cosine) <= 1_000
    assert cosine * product >= 0
    assert cosine * cosine * scale <= product * product * 1_000_000
    assert not scale or (abs(cosine) + 1) ** 2 * scale > product * product * 1_000_000
    assert scale or cosine == 0


def test_cosines_of_known_angles() -> None:
    east, north = np.array([5, 0]), np.array([0, 3])
    assert cosine_per_mille(east, 7 * east) == 1_000
    assert cosine_per_mille(east, -east) == -1_000
    assert cosine_per_mille(east, north) == 0
    assert cosine_per_mille(east, np.array([-1, 1])) == -707
    assert cosine_per_mille(east, np.zeros(2, np.int64)) == 0


@given(st.integers(-(1 << 62), 1 << 62), st.integers(1, 1 << 45))
def test_division_rounds_half_to_even(numerator: int, denominator: int) -> None:
    assert int(divide(np.array([numerator], np.int64), denominator)[0]) == round(Fraction(numerator, denominator))


@given(st.integers(-(1 << 40), 1 << 40), st.integers(1, 1 << 20))
def test_halves_go_to_the_even_neighbour(whole: int, half: int) -> None:
    assert int(divide(np.array([(2 * whole + 1) * half]), 2 * half)[0]) == round(Fraction(2 * whole + 1, 2))


@given(st.integers(-(1 << 57), 1 << 57), st.integers(0, 1 << 58), st.integers(1 << 32, (1 << 42) - 1))
def test_long_division_of_two_limbs_is_exact(high: int, low: int, denominator: int) -> None:
    limbs = (np.array([high], np.int64), np.array([low], np.int64))
    assert int(divide_limbs(limbs, denominator)[0]) == round(Fraction((high << 16) + low, denominator))
