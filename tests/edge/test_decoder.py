"""The decoder averages what the last windows said, and forgets across gaps."""

from __future__ import annotations

import numpy as np

from salus_edge.decoder import State, softmax, step

WALK, FALL = np.array([2.0, 0.0], np.float32), np.array([0.0, 3.0], np.float32)


def test_alone_a_window_decides_for_itself() -> None:
    _, said = step(State(), FALL, 0, 1000)
    assert said.label == 1
    assert np.isclose(said.probability, softmax(FALL)[1])


def test_with_confirmation_one_odd_window_changes_nothing() -> None:
    state, _ = step(State(), WALK, 0, 1000, k=3)
    state, _ = step(state, WALK, 500, 1000, k=3)
    state, said = step(state, FALL, 1000, 1000, k=3)
    assert said.label == 0
    state, said = step(state, FALL, 1500, 1000, k=3)
    assert said.label == 1
    assert len(state.recent) == 3


def test_after_a_gap_or_a_step_back_the_memory_starts_anew() -> None:
    state, _ = step(State(), WALK, 1000, 1000, k=3)
    for start_ms in (5000, 0):
        assert len(step(state, FALL, start_ms, 1000, k=3)[0].recent) == 1
