"""The front end gives the same windows however the samples arrive, and refuses what it cannot take."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_coordinator.model.device import Scale
from salus_edge.errors import Refused, TaskError
from salus_edge.frontend import Chunk, FrontEnd, State, Windows, cut, joined, quantise
from salus_edge.task import Task
from tests.hil.rig import TASK

T0_MS = 1_767_225_600_000


def signal(n: int = 500, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(seed).normal(0, 1, (n, 3))


def fed(task: Task, chunks: list[Chunk]) -> tuple[State | None, Windows]:
    """All chunks, one after the other."""
    front_end, state = FrontEnd.of(task), None
    found = front_end.none
    for chunk in chunks:
        state, windows = front_end.step(state, chunk)
        found = joined(found, windows)
    return state, found


def chunked(samples: Any, cuts: list[int], rate_hz: float = 50.0) -> list[Chunk]:
    edges = [0, *sorted(cuts), len(samples)]
    return [Chunk(samples[a:b], T0_MS + a * 1000.0 / rate_hz, rate_hz) for a, b in pairwise(edges)]


@given(st.lists(st.integers(0, 500), max_size=30), st.sampled_from([50.0, 360.0, 100 / 3]))
def test_windows_do_not_depend_on_the_chunks(cuts: list[int], rate_hz: float) -> None:
    task = msgspec.structs.replace(TASK, rate_hz=rate_hz)
    whole = cut(task, signal(), T0_MS)
    _, parts = fed(task, chunked(signal(), cuts, rate_hz))
    np.testing.assert_array_equal(parts.start_ms, whole.start_ms)
    np.testing.assert_array_equal(parts.windows, whole.windows)
    assert whole.windows.dtype == np.float32 and whole.start_ms.dtype == np.int64


def test_windows_are_hop_apart_and_as_many_as_fit() -> None:
    found = cut(TASK, signal(100), T0_MS)
    assert found.windows.shape == ((100 - 32) // 16 + 1, 32, 4)
    assert np.diff(found.start_ms).tolist() == [320] * 4 and found.start_ms[0] == T0_MS
    np.testing.assert_array_equal(found.windows[0][16:], found.windows[1][:16])
    assert cut(TASK, signal(31), T0_MS).windows.shape == (0, 32, 4)


@pytest.mark.parametrize(
    ("late_ms", "anew"), [(0.0, False), (9.0, False), (11.0, True), (5000.0, True), (-500.0, True)]
)
def test_a_time_gap_starts_blocks_and_windows_anew(late_ms: float, anew: bool) -> None:
    samples = signal(80)
    chunks = [Chunk(samples[:40], T0_MS, 50.0), Chunk(samples[40:], T0_MS + 800 + late_ms, 50.0)]
    _, found = fed(TASK, chunks)
    if anew:
        wanted = [cut(TASK, samples[:40], T0_MS), cut(TASK, samples[40:], T0_MS + 800 + late_ms)]
        np.testing.assert_array_equal(found.windows, np.concatenate([each.windows for each in wanted]))
        np.testing.assert_array_equal(found.start_ms, np.concatenate([each.start_ms for each in wanted]))
    else:
        np.testing.assert_array_equal(found.windows, cut(TASK, samples, T0_MS).windows)


def test_a_clock_that_drifts_is_followed() -> None:
    """Chunks of 16 samples, each 2 ms late: no gap, and after 100 of them no window is more than a period off."""
    samples = signal(1600)
    chunks = [Chunk(samples[16 * i : 16 * i + 16], T0_MS + 322.0 * i, 50.0) for i in range(100)]
    _, found = fed(TASK, chunks)
    np.testing.assert_array_equal(found.windows, cut(TASK, samples, T0_MS).windows)
    assert np.abs(found.start_ms - (T0_MS + 322 * np.arange(99))).max() <= 20


def test_step_changes_no_argument() -> None:
    front_end, chunk = FrontEnd.of(TASK), Chunk(signal(40), T0_MS, 50.0)
    state, _ = front_end.step(None, chunk)
    before = state.blocks[0].copy()
    first, _ = front_end.step(state, Chunk(signal(40, 1), chunk.end_ms, 50.0))
    again, _ = front_end.step(state, Chunk(signal(40, 1), chunk.end_ms, 50.0))
    np.testing.assert_array_equal(state.blocks[0], before)
    np.testing.assert_array_equal(first.blocks[0], again.blocks[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite_are_refused_by_name(bad: float) -> None:
    samples = signal()
    samples[7, 2] = bad
    with pytest.raises(Refused, match=r"not_finite.*az"):
        cut(TASK, samples, T0_MS)


def test_other_channels_or_another_rate_are_refused() -> None:
    for chunk in (Chunk(signal()[:, :2], T0_MS, 50.0), Chunk(signal(), T0_MS, 49.0), Chunk(signal()[0], T0_MS, 50.0)):
        with pytest.raises(Refused, match="malformed"):
            FrontEnd.of(TASK).step(None, chunk)


@pytest.mark.parametrize(
    "block",
    [
        {"block": "wavelet"},
        {"block": "scale", "parameters": {"offset": [0.0] * 3}},
        {"block": "scale", "parameters": {"offset": [0.0] * 3, "gain": [1.0] * 2}},
        {"block": "scale", "parameters": {"offset": [0.0] * 3, "gain": [1.0] * 3, "shift": 1.0}},
        {"block": "scale", "parameters": {"offset": [0.0] * 3, "gain": [1.0, 1.0, float("inf")]}},
        {"block": "scale", "parameters": {"offset": "none", "gain": [1.0] * 3}},
        {"block": "magnitude", "parameters": {"groups": [[0, 3]]}},
        {"block": "magnitude", "parameters": {"groups": [[]]}},
        {"block": "magnitude", "parameters": {"groups": [0.0, 1.0]}},
        {"block": "magnitude", "parameters": {"groups": [[0.5]]}},
        {"block": "filter", "parameters": {"sos": []}},
        {"block": "filter", "parameters": {"sos": [[1.0] * 5]}},
        {"block": "filter", "parameters": {"sos": [[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]}},
        {"block": "filter", "parameters": {"sos": [[1.0, 0.0, 0.0, 1.0, -2.0, 1.0]]}},
    ],
)
def test_a_block_that_cannot_be_names_itself(block: dict[str, Any]) -> None:
    task = msgspec.convert({**msgspec.to_builtins(TASK), "frontend": [block]}, Task)
    with pytest.raises(TaskError, match=rf"sway, frontend\[0\] \({block['block']}\)"):
        FrontEnd.of(task)


def test_quantising_rounds_halves_to_even_and_clips_as_the_coordinator_does() -> None:
    values = np.array([[0.5, 1.5, 2.5, -0.5, -1.5, 200.0, -200.0, 126.6]], np.float32)
    assert quantise(values, 1.0, 0).tolist() == [[0, 2, 2, 0, -2, 127, -128, 127]]
    assert quantise(values, 1.0, -128).tolist() == [[-128, -126, -126, -128, -128, 72, -128, -1]]
    windows = cut(TASK, signal(2000), T0_MS).windows
    scale = float(np.float32(0.0237))
    np.testing.assert_array_equal(quantise(windows, scale, 3), Scale(scale, 3).quantise(windows))
    with pytest.raises(Refused, match="not_finite"):
        quantise(np.array([[np.nan]], np.float32), 1.0, 0)
