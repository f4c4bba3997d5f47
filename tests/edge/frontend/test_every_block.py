"""What holds for all nine blocks: chunks make no difference, nothing looks ahead, a state is not changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus_edge.errors import TaskError
from salus_edge.frontend import FrontEnd, Windows, Wrist, cut
from salus_edge.frontend.blocks import BLOCKS
from salus_edge.task import Block, Parameter, Window
from tests.edge.frontend.people import (
    BEATS,
    CANCEL,
    MOTION,
    SIX,
    SPECTRUM,
    T0_MS,
    TASKS,
    TRIADS,
    block,
    fed,
    sensor,
    task,
)

LENGTH = {name: 5000 if name == "beats" else 1500 for name in BLOCKS}


def assert_same(one: Windows, other: Windows) -> None:
    assert one.windows.dtype == other.windows.dtype == np.float32 and one.aux.dtype == other.aux.dtype == np.int16
    np.testing.assert_array_equal(one.start_ms, other.start_ms)
    np.testing.assert_array_equal(one.windows, other.windows)
    np.testing.assert_array_equal(one.aux, other.aux)


def test_there_are_nine_and_each_has_a_task_here() -> None:
    assert sorted(TASKS) == list(BLOCKS) and len(BLOCKS) == 9


@pytest.mark.parametrize("name", BLOCKS)
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 1500), max_size=12))
def test_chunks_make_no_difference(name: str, cuts: list[int]) -> None:
    which = TASKS[name]
    samples = sensor(which, LENGTH[name])
    whole, parts = cut(which, samples, T0_MS), fed(which, samples, cuts)
    assert len(whole.start_ms) >= 10
    assert_same(whole, parts)


@pytest.mark.parametrize("name", BLOCKS)
def test_single_samples_are_chunks_too(name: str) -> None:
    which = TASKS[name]
    samples = sensor(which, 900, seed=3)
    assert_same(cut(which, samples, T0_MS), fed(which, samples, list(range(900))))


@pytest.mark.parametrize("name", BLOCKS)
def test_no_window_depends_on_samples_after_it_came_out(name: str) -> None:
    which = TASKS[name]
    samples = sensor(which, LENGTH[name])
    changed = samples.copy()
    end = len(samples) * 2 // 3
    changed[end:] = 0.25
    early = cut(which, samples[:end], T0_MS)
    assert len(early.start_ms)
    assert_same(early, cut(which, changed, T0_MS).part(slice(len(early.start_ms))))


ORIENT: dict[str, Parameter] = {"axis": [1.0, 0.0, 0.0], "samples": 5.0, "still": 1.0, "groups": TRIADS}
RIDGE: dict[str, Parameter] = {"targets": [0.0], "references": [1.0], "lags": [0.0], "ridge": 0.1}


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        ([SPECTRUM, block("resample", up=1.0, down=5.0)], "stands before"),
        ([block("beats", channel=0.0, before=5.0, threshold=0.2)], "trigger is event"),
        ([block("magnitude", groups=[[0.0], [1.0], [2.0], [3.0], [4.0], [5.0]] * 2)], "at most 16"),
        ([block("wrist", worn="foot", mirror=[1.0] * 6)], "left or right"),
        ([block("wrist", worn="left", mirror=[2.0] * 6)], "1 or -1"),
        ([block("resample", up=2.0, down=4.0)], "common divisor"),
        ([block("resample", up=1.0, down=501.0)], "Hz come out"),
        ([block("resample", up=1.5, down=4.0)], "whole number"),
        ([Block(block="orient", parameters=ORIENT | {"groups": [[0.0, 1.0]]})], "triads"),
        ([Block(block="orient", parameters=ORIENT | {"axis": [0.0] * 3})], "direction"),
        ([Block(block="cancel", parameters=RIDGE | {"references": [0.0]})], "no target"),
        ([Block(block="cancel", parameters=RIDGE | {"lags": [0.5]})], "lags"),
        ([Block(block="cancel", parameters=RIDGE | {"targets": [0.0, 0.0]})], "different"),
        ([block("spectrum", low_hz=20.0, per_octave=2.0, bins=3.0, floor=0.1)], "half the rate"),
    ],
)
def test_a_block_that_cannot_be_says_why(blocks: list[Block], says: str) -> None:
    with pytest.raises(TaskError, match=says):
        FrontEnd.of(task(SIX, 50.0, Window(samples=32, hop=16), *blocks))


@pytest.mark.parametrize(
    ("rate_hz", "window", "blocks", "says"),
    [
        (0.0, MOTION, [], "rate_hz"),
        (142.0, Window(samples=128, trigger="event"), [BEATS], "window.aux is 17"),
        (142.0, Window(samples=143, trigger="event", aux=17), [BEATS], "at most 1 s"),
        (50.0, Window(samples=32, trigger="event"), [], "knows events"),
        (50.0, Window(samples=32, hop=16, aux=3), [], "window.aux is 0"),
    ],
)
def test_windows_that_cannot_be_say_why(rate_hz: float, window: Window, blocks: list[Block], says: str) -> None:
    with pytest.raises(TaskError, match=says):
        FrontEnd.of(task(SIX, rate_hz, window, *blocks))


def test_a_block_without_state_works_on_windows_too() -> None:
    """Scaling the spectrum in place of the samples: row by row of (bins, channels)."""
    bare = TASKS["spectrum"]
    scaled = task(
        ["p", "q"], 25.0, bare.window, *bare.frontend, block("scale", offset=[-2.0, -2.0], gain=[0.5, 0.25]),
        block("magnitude", groups=[[0.0, 1.0]]),
    )  # fmt: skip
    samples = sensor(bare, 600)
    plain, found = cut(bare, samples, T0_MS).windows, cut(scaled, samples, T0_MS).windows
    wanted = ((plain.astype(np.float64) + 2.0) * np.array([0.5, 0.25])).astype(np.float32)
    np.testing.assert_array_equal(found[:, :, :2], wanted)
    np.testing.assert_allclose(found[:, :, 2], np.hypot(wanted[:, :, 0], wanted[:, :, 1]), rtol=1e-6)


def test_windows_of_a_slower_stream_have_its_length_and_times() -> None:
    which = TASKS["resample"]
    found, front_end = cut(which, sensor(which, 1500), T0_MS), FrontEnd.of(which)
    assert front_end.duration_ms == round(32 * 1000 * 7 / (3 * 50))
    assert found.start_ms.tolist() == [round(T0_MS + 16 * i * 1000 * 7 / 150) for i in range(len(found.start_ms))]


def test_the_other_arm_changes_signs() -> None:
    which = TASKS["wrist"]
    samples = sensor(which, 100)
    plain = cut(which, samples, T0_MS).windows
    np.testing.assert_array_equal(fed(which, samples, [], Wrist.LEFT).windows, plain)
    other = fed(which, samples, [], Wrist.RIGHT).windows
    np.testing.assert_array_equal(other, plain * np.array([-1, 1, 1, 1, -1, -1], np.float32))


def test_cancel_and_spectrum_need_no_motion_and_no_signal() -> None:
    which = task(["p", "q", "ax", "ay", "az"], 25.0, Window(samples=200, hop=50), CANCEL, SPECTRUM)
    flat = cut(which, np.zeros((200, 5), np.float32), T0_MS).windows
    np.testing.assert_allclose(flat, np.log(0.02), rtol=1e-6)
