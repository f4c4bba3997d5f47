"""Each block against an independent computation of what it claims."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from salus_edge.frontend import Chunk, FrontEnd, cut
from salus_edge.frontend.chunk import Inlet
from salus_edge.frontend.detector import Beat
from salus_edge.frontend.exact import cosine, exponential, logarithm
from salus_edge.frontend.orient import _rotation
from salus_edge.frontend.orient import build as orient
from salus_edge.frontend.resample import build as resample
from salus_edge.frontend.rhythm import features
from salus_edge.frontend.template import step as learn
from salus_edge.task import Window
from tests.edge.frontend.people import CANCEL, SPECTRUM, T0_MS, TASKS, TRIADS, block, ecg, sensor, task

Vector = tuple[float, float, float]


@given(st.floats(1e-300, 1e300))
def test_the_logarithm(x: float) -> None:
    assert math.isclose(float(logarithm(np.array([x]))[0]), math.log(x), rel_tol=1e-14, abs_tol=1e-15)


@given(st.floats(0.0, 1.0), st.floats(-math.pi, math.pi))
def test_exponential_and_cosine(x: float, angle: float) -> None:
    assert math.isclose(exponential(x), math.exp(x), rel_tol=1e-14)
    assert math.isclose(cosine(angle), math.cos(angle), abs_tol=1e-13)


@pytest.mark.parametrize(("up", "down"), [(1, 1), (1, 5), (32, 81), (7, 3)])
def test_resampling_is_linear_interpolation(up: int, down: int) -> None:
    samples = np.random.default_rng(0).normal(0, 1, (200, 2))
    stage = resample("here", {"up": float(up), "down": float(down)}, Inlet(2))
    _, out = stage.step(stage.start, Chunk(samples, 0.0, 50.0))
    at = np.arange(len(out.samples)) * down / up
    assert at[-1] <= 199 < at[-1] + down / up
    wanted = np.stack([np.interp(at, np.arange(200), column) for column in samples.T], axis=1)
    np.testing.assert_allclose(out.samples, wanted, atol=1e-12)
    assert out.rate_hz == pytest.approx(50.0 * up / down)


directions = st.tuples(*[st.floats(-1.0, 1.0)] * 3).filter(lambda v: sum(x * x for x in v) > 1e-3)


@given(directions, directions)
def test_a_rotation_turns_gravity_to_the_axis_and_no_further(a: Vector, b: Vector) -> None:
    g, u = np.array(a) / np.linalg.norm(a), np.array(b) / np.linalg.norm(b)
    turn = _rotation((g[0], g[1], g[2]), (u[0], u[1], u[2]))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    near = 0.02 if g @ u < -0.9999 else 1e-7  # against the axis, half a turn is near enough
    np.testing.assert_allclose(turn @ g, u, atol=near)
    angle = np.arccos(np.clip((np.trace(turn) - 1.0) / 2.0, -1.0, 1.0))
    assert angle == pytest.approx(np.arccos(np.clip(g @ u, -1.0, 1.0)), abs=0.02)


def test_orient_waits_for_a_stance_and_turns_all_triads() -> None:
    rng = np.random.default_rng(1)
    walk, stand = rng.normal(0, 3.0, (70, 6)), rng.normal(0, 0.01, (40, 6)) + np.array([0.6, -0.5, 0.62, 0, 0, 0])
    later = rng.normal(0, 1.0, (50, 6))
    given_: NDArray[np.float64] = np.concatenate([walk, stand, later])
    stage = orient("here", {"groups": TRIADS, "axis": [0.0, 0.0, 2.0], "samples": 30.0, "still": 0.2}, Inlet(6))
    state, out = stage.step(stage.start, Chunk(given_, 1000.0, 50.0))
    assert out.index == 100 and len(out.samples) == 60 and out.events == (1000.0 + 100 * 20.0,)
    turned = out.samples[:10, :3].mean(axis=0)
    assert turned[2] / np.linalg.norm(turned) == pytest.approx(1.0, abs=1e-4)
    np.testing.assert_allclose(
        np.linalg.norm(out.samples[:, 3:], axis=1), np.linalg.norm(given_[100:, 3:], axis=1), atol=1e-12
    )
    assert stage.renew is not None and stage.don is not None
    _, kept = stage.step(stage.renew(state), Chunk(later, 9000.0, 50.0))
    np.testing.assert_array_equal(kept.samples, out.samples[10:])
    _, anew = stage.step(stage.don(state), Chunk(later, 9000.0, 50.0))
    assert len(anew.samples) == 0


def test_a_free_fall_is_no_stance() -> None:
    stage = orient("here", {"groups": TRIADS, "axis": [1.0, 0.0, 0.0], "samples": 5.0, "still": 0.2}, Inlet(6))
    assert len(stage.step(stage.start, Chunk(np.full((50, 6), 0.01), 0.0, 50.0))[1].samples) == 0


def test_cancel_is_ridge_regression() -> None:
    which = TASKS["cancel"]
    samples = sensor(which, 200).astype(np.float64)
    x = samples - samples.mean(axis=0)
    columns = [x[np.clip(np.arange(200) - lag, 0, 199), axis] for axis in (2, 3, 4) for lag in (-1, 0, 1, 2)]
    design = np.stack(columns, axis=1)
    gram = design.T @ design
    gram += np.eye(12) * 0.001 * np.trace(gram) / 12
    wanted = x[:, :2] - design @ np.linalg.solve(gram, design.T @ x[:, :2])
    found = cut(which, samples, T0_MS).windows[0]
    np.testing.assert_allclose(found, wanted, atol=2e-3)  # single precision
    assert np.square(found).sum() < 0.7 * np.square(x[:, :2]).sum(), "the steps are gone, the pulse stays"


def test_spectrum_is_a_fourier_transform() -> None:
    which = TASKS["spectrum"]
    samples = sensor(which, 200).astype(np.float64)
    hertz = 0.8 * 2.0 ** (np.arange(128) / 64.0)
    waves = np.exp(-2j * np.pi * np.outer(hertz, np.arange(200)) / 25.0)
    power = np.square(np.abs(waves @ samples))
    wanted = np.log(power / power.max(axis=0) + 0.02)
    found = cut(which, samples, T0_MS).windows[0]
    np.testing.assert_allclose(found, wanted, atol=2e-3)


def test_motion_at_another_rate_does_not_hide_the_pulse() -> None:
    which = task(["p", "q", "ax", "ay", "az"], 25.0, Window(samples=200, hop=50), CANCEL, SPECTRUM)
    found = cut(which, sensor(which, 200), T0_MS).windows[0]
    hertz = 0.8 * 2.0 ** (np.arange(128) / 64.0)
    assert hertz[found[:, 0].argmax()] == pytest.approx(1.3, abs=0.05)


def test_beats_are_found_where_they_are() -> None:
    """On a clean ECG of 40 s: each R peak is 50 samples after its window's start, the first two are for learning."""
    which = TASKS["beats"]
    lead = ecg(142 * 40, 142.0, seed=9)
    found = cut(which, lead[:, None], T0_MS)
    peaks = [n for n in range(1, len(lead) - 1) if lead[n] > 0.8 and lead[n - 1] < lead[n] >= lead[n + 1]]
    true = [n for n in peaks if 4 * 142 < n < 36 * 142]
    starts = np.rint((found.start_ms - T0_MS) * 0.142).astype(int)
    assert all(np.abs(starts + 50 - n).min() <= 2 for n in true)
    assert len(found.start_ms) <= len(peaks)
    windows = found.windows[:, :, 0]
    assert (np.abs(np.abs(windows).argmax(axis=1) - 50) <= 2).all()


def test_a_beat_waits_for_the_next_two_or_for_three_seconds() -> None:
    which = TASKS["beats"]
    front_end, state = FrontEnd.of(which), None
    lead = ecg(142 * 30, 142.0, seed=2).astype(np.float64)[:, None]
    lead[142 * 20 :] = 0.0  # nothing more
    came: list[float] = []
    for n in range(len(lead)):
        state, windows = front_end.step(state, Chunk(lead[n : n + 1], T0_MS + n * 1000 / 142, 142.0))
        came += [n * 1000 / 142 - (start - T0_MS + 50 * 1000 / 142) for start in windows.start_ms.tolist()]
    assert len(came) > 15
    assert max(came[:-3]) < 3000.0 and min(came) > 78 * 1000 / 142 - 8
    assert came[-2:] == pytest.approx([3000.0, 3000.0], abs=8.0)


def test_the_rhythm_of_known_intervals() -> None:
    """Intervals of 100, 100, 50, 150, 100, 120 samples at 100 Hz; the fourth beat's: 50, then 150 and 100."""
    peaks = np.cumsum([7, 100, 100, 50, 150, 100, 120]).tolist()
    beats = tuple(Beat(peak, peak + 20) for peak in peaks)
    found = features(beats, 3, 2, 300, 100.0) / 4096.0
    e = np.log
    past, median = [100, 100, 50], 100.0  # the lower one of three sorted is the second
    mean = float(np.mean(past))
    wanted = [
        e(50 / median), 0.0, 0.0, 0.0, 0.0, e(150 / median), 0.0, e(mean / median), e(150 / 50), e(50 / 100),
        25 / median, e(1.0 / 0.8), e(50 / 100), 0.0, e(150 / 100), 0.0, e(mean / 100),
    ]  # fmt: skip
    np.testing.assert_allclose(found, wanted, atol=1 / 4096)
    alone = features(beats[:4], 3, 0, 300, 100.0) / 4096.0
    assert alone[5] == alone[6] == 0.0, "an unknown interval counts as the median"
    assert features(beats, 4, 0, 120, 100.0)[0] == round(4096 * math.log(120 / 100)), "a pause is no rhythm"


def test_the_template_hardly_follows_odd_beats() -> None:
    shape = np.sin(np.linspace(0, 2 * np.pi, 64)).astype(np.float32)
    own = None
    for _ in range(100):
        own, window = learn(own, shape)
    np.testing.assert_allclose(window[:, 0], shape / (0.35 * (shape.max() - shape.min())), rtol=1e-5)
    assert np.abs(window[:, 1]).max() < 1e-5
    for _ in range(20):
        own, window = learn(own, -shape)
    assert own is not None
    assert np.abs(own.values - shape).max() <= 20 * 2.0 / 256 * 1.01
    assert np.abs(window[:, 1]).max() > 2.0


def test_the_wrist_block_may_stand_after_the_windows() -> None:
    bare = TASKS["spectrum"]
    with_it = task(bare.channels, 25.0, bare.window, *bare.frontend, block("wrist", worn="right", mirror=[1.0, -1.0]))
    samples = sensor(bare, 300)
    np.testing.assert_array_equal(cut(with_it, samples, 0.0).windows, cut(bare, samples, 0.0).windows)
