from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus_chain.aggregation import distances
from salus_chain.aggregation.exact import norm
from tests.chain.aggregation.oracle import INT32

SMALL = st.integers(-(1 << 20), 1 << 20)
TABLES = st.tuples(st.integers(1, 5), st.integers(1, 6), st.sampled_from([INT32, SMALL])).flatmap(
    lambda size: st.lists(st.lists(size[2], min_size=size[1], max_size=size[1]), min_size=size[0], max_size=size[0])
)


def largest(rows: np.ndarray) -> int:
    return max(norm(row) for row in rows)


@settings(deadline=None)
@given(TABLES)
def test_distances_are_exact(table: list[list[int]]) -> None:
    rows = np.array(table, np.int32)
    found = distances.squared_distances(rows, largest(rows))
    wanted = [[sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) for b in table] for a in table]
    assert [[int(value) for value in row] for row in found] == wanted


@pytest.mark.parametrize("size", [1 << 19, (1 << 31) - 1])
def test_distances_of_long_rows_are_exact_over_several_chunks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """At d = 20,000 a sum of squares of the large values is near 2^76, far beyond what a float64 holds."""
    monkeypatch.setattr(distances, "CHUNK_NUMBERS", 6 * 3_000)
    rows = np.random.default_rng(size).integers(-size, size, (6, 20_000)).astype(np.int32)
    rows[0] = size
    rows[1] = -size
    found = distances.squared_distances(rows, largest(rows))
    wide = rows.astype(object)
    for a in range(6):
        for b in range(6):
            assert int(found[a, b]) == int(((wide[a] - wide[b]) ** 2).sum())


def test_one_product_is_enough_exactly_while_partial_sums_fit_float64() -> None:
    """At the limit 2^53 - 1 and above it: an odd sum above 2^53 would lose its last bit in float64."""
    for values in ([94_906_265, 6_989], [94_906_266, 1], [1 << 27, 1], [(1 << 31) - 1, 3]):
        rows = np.array([values, values[::-1]], np.int32)
        found = distances.gram(rows, largest(rows))
        assert int(found[0, 0]) == sum(value * value for value in values)
        assert int(found[0, 1]) == 2 * values[0] * values[1]


def test_small_distances_stay_int64_and_large_ones_become_python_integers() -> None:
    small = np.array([[1, 2], [3, 4]], np.int32)
    large = np.array([[(1 << 31) - 1, 2], [-(1 << 31), 4]], np.int32)
    assert distances.squared_distances(small, largest(small)).dtype == np.int64
    assert distances.squared_distances(large, largest(large)).dtype == object
    sums = np.zeros((9, 2), np.int32)
    sums[0] = 1 << 29  # each distance 2^59, nine of them above 2^62 but inside int64
    assert distances.squared_distances(sums, largest(sums)).dtype == np.int64
    sums[0] = 1 << 30
    assert distances.squared_distances(sums, largest(sums)).dtype == object
