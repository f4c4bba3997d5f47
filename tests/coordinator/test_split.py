"""Splits: parts never share a sample, no window crosses, people are drawn from the seed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_coordinator.data import Split, allot, bouts, parts, people
from salus_coordinator.errors import DataError
from tests.coordinator.tasks import data_set, recording


@given(st.integers(1, 3000), st.integers(1, 300), st.integers(1, 64))
def test_parts_share_no_sample_and_no_window_lies_in_two(length: int, window: int, hop: int) -> None:
    cut = parts(recording("p", "s", length), Split(gap_samples=window))
    ranges = [cut["setup"], cut["diary"], cut["reference"]]
    assert all(0 <= part.start <= part.end <= length for part in ranges)
    assert all(before.end <= after.start for before, after in pairwise(ranges))
    for start in range(0, length - window + 1, hop):
        touched = [part for part in ranges if start < part.end and start + window > part.start]
        inside = [part for part in ranges if part.start <= start and start + window <= part.end]
        assert len(inside) <= 1
        assert not (cut["reference"] in touched and len(touched) > 1), "the gap keeps training and test apart"


def test_parts_are_the_fractions_asked_for() -> None:
    cut = parts(recording("p", "s", 1000), Split(gap_samples=50))
    assert (cut["setup"], cut["diary"], cut["reference"]) == ((0, 200), (200, 600), (650, 1000))


def test_trials_are_split_by_session_whole() -> None:
    dataset = data_set(2, split_by_session=True, sessions=10)
    for recording_, part in zip(dataset.recordings, allot(dataset, Split()), strict=True):
        lengths = [each.end - each.start for each in part.values()]
        assert sorted(lengths) == [0, 0, len(recording_.samples)]
    setup = [part["setup"].end > 0 for part in allot(dataset, Split())]
    assert sum(setup) == 2 * 3 * 2  # people, labels, 20 % of ten


def test_bouts_are_recordings_of_one_label() -> None:
    cut = bouts(data_set(2), frozenset({"a"}))
    assert {span.label for each in cut.recordings for span in each.spans} == {"a"}
    assert cut.split_by == "session"


def test_people_are_drawn_from_the_seed_and_nobody_is_both() -> None:
    dataset = data_set(10)
    first = people(dataset, 4, seed=1)
    assert first == people(dataset, 4, seed=1)
    assert len({people(dataset, 4, seed=seed)[0] for seed in range(8)}) > 1
    assert len(first[0]) == 4
    assert sorted(first[0] + first[1]) == sorted(dataset.subjects)


def test_forty_percent_pretrain_when_nothing_is_said() -> None:
    assert len(people(data_set(10))[0]) == 4


def test_somebody_must_be_left_as_a_patient() -> None:
    with pytest.raises(DataError, match="too_few_subjects"):
        people(data_set(4), 4)


@pytest.mark.parametrize("wrong", [{"setup": 0.0}, {"diary": 0.1}, {"test": 1.0}, {"gap_samples": -1}])
def test_a_split_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(DataError, match="bad_split"):
        Split(**wrong)  # type: ignore[arg-type]
