"""Windows: cut by the wearable's front end, labelled by coverage, never outside their part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from salus_coordinator.data import Span
from salus_coordinator.data.split import Range
from salus_coordinator.data.windows import channels, label_at, labelled
from salus_coordinator.errors import DataError
from salus_edge.frontend.pipeline import cut
from tests.coordinator.tasks import recording, small_task

TASK = small_task()


def test_windows_are_those_of_the_front_end() -> None:
    made = recording("p0", "s")
    _, wanted, _ = cut(TASK, made.samples, 0)
    assert np.array_equal(labelled(TASK, [(made, None)]).windows, wanted)


def test_windows_lie_whole_in_their_part() -> None:
    made = recording("p0", "s", 400)
    got = labelled(TASK, [(made, Range(100, 200))]).windows
    _, every, _ = cut(TASK, made.samples, 0)
    starts = [start for start in range(0, 400 - 41 + 1, 16) if start >= 100 and start + 41 <= 200]
    assert np.array_equal(got, every[[start // 16 for start in starts]])


def test_a_wider_window_and_another_hop_for_augmentation() -> None:
    got = labelled(TASK, [(recording("p0", "s"), None)], hop=8, margin=9)
    assert got.windows.shape[1:] == (50, 8)
    assert len(got.windows) == (400 - 50) // 8 + 1


@pytest.mark.parametrize(("end", "label"), [(80, 0), (79, None)])
def test_a_label_needs_four_fifths_of_the_window(end: int, label: int | None) -> None:
    made = replace(recording("p0", "s"), spans=(Span(0, end, "a"),))
    assert label_at(TASK, made, 0, 100) == label


def test_channels_go_by_name_in_the_tasks_order() -> None:
    made = recording("p0", "s")
    turned = replace(made, channels=made.channels[::-1], samples=made.samples[:, ::-1])
    assert np.array_equal(channels(TASK, turned), made.samples)


def test_missing_channels_and_another_rate_are_refused() -> None:
    made = recording("p0", "s")
    with pytest.raises(DataError, match="missing_channels"):
        channels(TASK, replace(made, channels=made.channels[:5], samples=made.samples[:, :5]))
    with pytest.raises(DataError, match="wrong_rate"):
        channels(TASK, replace(made, rate_hz=40.0))


def test_data_without_labels_of_the_task_are_refused() -> None:
    with pytest.raises(DataError, match="no_windows"):
        labelled(TASK, [(recording("p0", "s", label="other"), None)])
