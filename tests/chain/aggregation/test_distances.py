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


def distances_of(rows: np.ndarray) -> list[list[int]]:
    found = distances.squared_distances(rows, [norm(row) for row in rows])
    assert int(found.low.min()) >= 0
    assert int(found.low.max()) < 1 << 32
    return [[int(value) for value in found.row(row)] for row in range(len(rows))]


def plain(table: list[list[int]]) -> list[list[int]]:
    return [[sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) for b in table] for a in table]


@settings(deadline=None)
@given(TABLES)
def test_distances_are_exact(table: list[list[int]]) -> None:
    assert distances_of(np.array(table, np.int32)) == plain(table)


@pytest.mark.parametrize("long", [0, 1, 5, 6])
def test_distances_of_rows_short_and_long_are_exact_over_several_chunks(
    monkeypatch: pytest.MonkeyPatch, long: int
) -> None:
    """At d = 20,000 a sum of squares of the largest values is near 2^77, far beyond what a float64 holds."""
    monkeypatch.setattr(distances, "CHUNK_NUMBERS", 6 * 3_000)
    rng = np.random.default_rng(long)
    rows = rng.integers(-(1 << 19), 1 << 19, (6, 20_000)).astype(np.int32)
    rows[:long] = rng.integers(-(1 << 31), 1 << 31, (long, 20_000), dtype=np.int32)
    if long > 1:
        rows[0], rows[1] = (1 << 31) - 1, -(1 << 31)
    found, wide = distances_of(rows), rows.astype(object)
    for a in range(6):
        for b in range(6):
            assert found[a][b] == int(((wide[a] - wide[b]) ** 2).sum())


@pytest.mark.parametrize("values", [(94_906_265, 6_989), (94_906_266, 1), (1 << 27, 1), ((1 << 31) - 1, 3)])
def test_rows_about_the_longest_that_are_not_split_are_exact(values: tuple[int, int]) -> None:
    """Norms about 2^26.5: an odd square sum above 2^53 would lose its last bit in float64."""
    table = [list(values), [0, 0], [1, 2]]
    assert distances_of(np.array(table, np.int32)) == plain(table)


@settings(deadline=None)
@given(TABLES, st.data())
def test_the_closest_of_each_row_are_summed_exactly(table: list[list[int]], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(table)))
    rows = np.array(table, np.int32)
    sums, farthest = distances.squared_distances(rows, [norm(row) for row in rows]).closest(count)
    closest = [sorted(row)[:count] for row in plain(table)]
    assert [int(value) for value in sums] == [sum(row) for row in closest]
    assert [int(value) for value in farthest] == [row[-1] for row in closest]


def test_a_sum_of_distances_beyond_int64_is_exact() -> None:
    rows = np.zeros((9, 2), np.int32)
    rows[0] = 1 << 30
    sums, farthest = distances.squared_distances(rows, [norm(row) for row in rows]).closest(9)
    assert int(sums[0]) == 8 << 61
    assert int(farthest[0]) == 1 << 61
    assert farthest.dtype == np.int64


def test_a_wrong_matrix_product_is_noticed_and_made_again_in_integers(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(3).integers(-(1 << 31), 1 << 31, (5, 7)).astype(np.int32)
    multiply, called = distances._multiply, []

    def wrong(floats: np.ndarray) -> np.ndarray:
        called.append(1)
        product = multiply(floats)
        product[2, 4] += 1
        return product

    monkeypatch.setattr(distances, "_multiply", wrong)
    assert distances_of(rows) == plain(rows.tolist())
    assert called
