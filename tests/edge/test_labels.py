from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_edge.errors import Refused
from salus_edge.labels import NONE, Interval, check_label, check_training_sources, join
from salus_edge.link.messages import Label

CLASSES = ("still", "slow", "fast")


def joined(*labels: Interval, sources: tuple[str, ...] = ("setup",), coverage: float = 0.8) -> list[int]:
    """Classes of five windows of 100 ms from time 0 on."""
    start = np.arange(5, dtype=np.int64) * 100
    return join(start, start + 100, labels, CLASSES, sources, coverage).tolist()


def test_a_window_takes_a_label_that_covers_four_fifths_of_it() -> None:
    assert joined(Interval(20, 180, "slow", "setup")) == [1, 1, NONE, NONE, NONE]
    assert joined(Interval(21, 179, "slow", "setup")) == [NONE] * 5


def test_a_label_ends_before_its_end() -> None:
    assert joined(Interval(100, 200, "fast", "setup")) == [NONE, 2, NONE, NONE, NONE]


def test_the_later_of_two_labels_replaces_the_earlier() -> None:
    early, late = Interval(0, 500, "still", "setup"), Interval(200, 300, "fast", "setup")
    assert joined(early, late) == [0, 0, 2, 0, 0]
    assert joined(late, early) == [0] * 5


def test_only_the_sources_asked_for_count() -> None:
    setup, diary = Interval(0, 200, "slow", "setup"), Interval(200, 400, "fast", "diary")
    reference = Interval(0, 500, "still", "reference")
    assert joined(setup, diary, reference) == [1, 1, NONE, NONE, NONE]
    assert joined(setup, diary, reference, sources=("setup", "diary")) == [1, 1, 2, 2, NONE]


@pytest.mark.parametrize(
    ("label", "code"),
    [
        (Label("a", 0, 10, "running", "setup", "motion"), "unknown_class"),
        (Label("a", 0, 10, "slow", "neighbour", "motion"), "unknown_source"),
        (Label("a", 10, 10, "slow", "setup", "motion"), "bad_interval"),
        (Label("a", -5, 10, "slow", "setup", "motion"), "bad_interval"),
    ],
)
def test_a_label_that_cannot_be_is_refused_by_name(label: Label, code: str) -> None:
    with pytest.raises(Refused, match=code) as refused:
        check_label(label, CLASSES)
    assert refused.value.code == code


def test_reference_labels_are_no_training_source() -> None:
    check_training_sources(("setup", "diary", "clinician"))
    with pytest.raises(Refused, match="reference_never_trains"):
        check_training_sources(("setup", "reference"))
    with pytest.raises(Refused, match="unknown_source"):
        check_training_sources(("rumour",))


intervals = st.builds(
    lambda start, length, label, source: Interval(start, start + length, label, source),
    st.integers(0, 600),
    st.integers(1, 600),
    st.sampled_from([*CLASSES, "unheard of"]),
    st.sampled_from(["setup", "diary", "reference"]),
)


@given(st.lists(intervals, max_size=6), st.sampled_from([0.5, 0.8, 1.0]))
def test_joining_equals_a_plain_search_from_the_latest_label_back(labels: list[Interval], coverage: float) -> None:
    expected = []
    for start in range(0, 500, 100):
        found = NONE
        for label in reversed(labels):
            covered = min(label.end_ms, start + 100) - max(label.start_ms, start)
            if label.source == "setup" and label.label in CLASSES and covered >= coverage * 100:
                found = CLASSES.index(label.label)
                break
        expected.append(found)
    assert joined(*labels, coverage=coverage) == expected
