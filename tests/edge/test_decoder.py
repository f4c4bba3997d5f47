from __future__ import annotations

import numpy as np
import pytest

from salus_edge.decoder import State, softmax, step


def logits(*values: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return np.array(values, np.float32)


def test_one_window_decides_by_its_largest_logit() -> None:
    _, said = step(State(), logits(0.0, 3.0, 1.0), 0, 1_000)
    assert said.label == 1
    assert said.probability == pytest.approx(float(softmax(logits(0.0, 3.0, 1.0))[1]))


def test_k_windows_decide_together() -> None:
    state, first = step(State(), logits(3.0, 0.0), 0, 2_000, k=3)
    state, second = step(state, logits(3.0, 0.0), 1_000, 2_000, k=3)
    state, third = step(state, logits(0.0, 3.0), 2_000, 2_000, k=3)
    _, fourth = step(state, logits(0.0, 3.0), 3_000, 2_000, k=3)
    assert [first.label, second.label, third.label, fourth.label] == [0, 0, 0, 1]


@pytest.mark.parametrize("next_ms", [9_000, 500], ids=["a gap", "a step back"])
def test_a_break_in_time_forgets_what_was_before(next_ms: int) -> None:
    state, _ = step(State(), logits(9.0, 0.0), 1_000, 2_000, k=3)
    _, said = step(state, logits(0.0, 1.0), next_ms, 2_000, k=3)
    assert said.label == 1


def test_large_logits_do_not_overflow() -> None:
    _, said = step(State(), logits(1e4, -1e4), 0, 1_000)
    assert said.probability == pytest.approx(1.0)
