"""A window takes the label that covers enough of it, from the sources that count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_edge.errors import Refused
from salus_edge.labels import NONE, Interval, check_label, check_training_sources, join
from salus_edge.link.messages import Label

CLASSES = ("rest", "walk")
STARTS = np.array([0, 1000, 2000], np.int64)


def classes_of(*labels: Interval, sources: tuple[str, ...] = ("setup",)) -> list[int]:
    return [int(each) for each in join(STARTS, STARTS + 1000, labels, CLASSES, sources, 0.8)]


def test_four_fifths_of_a_window_suffice_and_less_does_not() -> None:
    assert classes_of(Interval(1000, 1800, "walk", "setup")) == [NONE, 1, NONE]
    assert classes_of(Interval(1000, 1799, "walk", "setup")) == [NONE, NONE, NONE]
    assert classes_of(Interval(200, 5000, "rest", "setup")) == [0, 0, 0]


def test_the_later_of_two_labels_is_taken() -> None:
    assert classes_of(Interval(0, 3000, "walk", "setup"), Interval(0, 1000, "rest", "setup")) == [0, 1, 1]


def test_only_the_arms_sources_count() -> None:
    diary = Interval(0, 3000, "walk", "diary")
    assert classes_of(diary) == [NONE] * 3
    assert classes_of(diary, sources=("setup", "diary")) == [1] * 3


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 4000), st.sampled_from(CLASSES)), max_size=6),
    st.floats(0.01, 1.0),
)
def test_the_join_is_the_definition(rows: list[tuple[int, int, str]], coverage: float) -> None:
    labels = [Interval(start, start + length, name, "setup") for start, length, name in rows]
    found = join(STARTS, STARTS + 1000, labels, CLASSES, ("setup",), coverage)
    for start, got in zip(STARTS.tolist(), found.tolist(), strict=True):
        shares = [
            (min(start + 1000, each.end_ms) - max(start, each.start_ms), CLASSES.index(each.label)) for each in labels
        ]
        wanted = [label for share, label in shares if share > 0 and share >= coverage * 1000]
        assert got == (wanted[-1] if wanted else NONE)


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"label": "fly"}, "unknown_class"), ({"source": "rumour"}, "unknown_source"), ({"end_ms": 0}, "bad_interval")],
)
def test_a_label_that_cannot_be_is_refused(changes: dict[str, object], code: str) -> None:
    good: dict[str, object] = {
        "id": "a",
        "start_ms": 0,
        "end_ms": 9,
        "label": "walk",
        "source": "setup",
        "task": "t",
    }
    check_label(Label(**good), CLASSES)  # type: ignore[arg-type]
    with pytest.raises(Refused) as refused:
        check_label(Label(**{**good, **changes}), CLASSES)  # type: ignore[arg-type]
    assert refused.value.code == code


def test_reference_labels_are_no_training_source() -> None:
    with pytest.raises(Refused, match="reference_never_trains"):
        check_training_sources(("setup", "reference"))
