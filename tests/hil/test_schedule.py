"""What is replayed: each part once, on a clock that only goes forward, with labels inside their part."""

from __future__ import annotations

import numpy as np
import pytest

from salus_coordinator.data import Split
from salus_edge.errors import ConfigError
from salus_edge.frontend import FrontEnd, cut
from salus_hil.virtual.config import Phase
from salus_hil.virtual.measure import groups
from salus_hil.virtual.schedule import PAUSE_MS, schedule
from tests.hil.rig import START_MS, TASK, dataset

PHASES = [Phase(parts=["setup", "diary"]), Phase(parts=["reference"])]


def test_touching_parts_are_one_piece_and_every_sample_comes_once() -> None:
    data = dataset(samples=1000)
    first, second = schedule(TASK, data, "p0", PHASES, START_MS, Split(gap_samples=32))
    mine = [recording for recording in data.recordings if recording.subject == "p0"]
    for recording, early, late in zip(mine, first, second, strict=True):
        np.testing.assert_array_equal(early.samples, recording.samples[:600])
        np.testing.assert_array_equal(late.samples, recording.samples[632:])


def test_time_goes_forward_and_labels_lie_in_their_piece() -> None:
    now_ms, ids = START_MS, set()
    for phase in schedule(TASK, dataset(), "p1", PHASES, START_MS, Split()):
        for piece in phase:
            assert piece.t0_ms >= now_ms
            end_ms = piece.t0_ms + len(piece.samples) * 20
            assert all(piece.t0_ms <= label.start_ms < label.end_ms <= end_ms for label in piece.labels)
            ids |= {label.id for label in piece.labels}
            now_ms = end_ms + PAUSE_MS
    assert len(ids) == sum(
        len(p.labels) for ph in schedule(TASK, dataset(), "p1", PHASES, START_MS, Split()) for p in ph
    )


def test_a_label_that_spans_two_parts_is_cut_at_the_border() -> None:
    """The border at 20 % of 1500 samples is sample 300, the middle of [200, 400)."""
    (phase,) = schedule(TASK, dataset(samples=1500), "p0", PHASES[:1], START_MS, Split(setup=0.1))
    border_ms = phase[0].t0_ms + 150 * 20
    by_source = {source: [each for each in phase[0].labels if each.source == source] for source in ("setup", "diary")}
    assert max(label.end_ms for label in by_source["setup"]) == border_ms
    assert min(label.start_ms for label in by_source["diary"]) == border_ms


def test_short_trials_are_replayed_whole_in_their_part() -> None:
    trials = dataset(samples=200, recordings=10)
    object.__setattr__(trials, "split_by", "session")
    first, second = schedule(TASK, trials, "p0", PHASES, START_MS, Split())
    assert (len(first), len(second)) == (6, 4)
    assert {label.source for piece in first for label in piece.labels} == {"setup", "diary"}


def test_an_unknown_subject_says_who_there_is() -> None:
    with pytest.raises(ConfigError, match="p0, p1"):
        schedule(TASK, dataset(), "p7", PHASES, START_MS, Split())


@pytest.mark.parametrize("size", [1, 3, 8, 1000])
def test_groups_are_the_windows_of_the_whole_piece(size: int) -> None:
    ((piece, _),) = schedule(TASK, dataset(), "p0", PHASES[:1], START_MS, Split())
    found = list(groups(FrontEnd.of(TASK), piece, size))
    wanted = cut(TASK, piece.samples, piece.t0_ms)
    np.testing.assert_array_equal(np.concatenate([each.windows for each in found]), wanted.windows)
    np.testing.assert_array_equal(np.concatenate([each.start_ms for each in found]), wanted.start_ms)
    assert {len(each.start_ms) for each in found[:-1]} <= {size}
