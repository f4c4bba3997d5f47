"""Each block against an independent computation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from salus_edge.frontend import Chunk, magnitude, scale
from salus_edge.frontend import filter as iir
from salus_edge.frontend.chunk import Inlet, Stage
from salus_edge.task import Parameter

Array = np.ndarray[Any, np.dtype[np.float64]]
ROWS = [
    [0.6389455251590224, 1.2778910503180447, 0.6389455251590224, 1.0, 1.1429805025399, 0.4128015980961886],
    [2.0, -1.0, 0.5, 2.0, 0.4, 0.3],
]
BUTTERWORTH: list[float | list[float]] = [[float(np.float32(each)) for each in row] for row in ROWS]  # as carried


def ran(stage: Stage[Any], samples: Array) -> Array:
    return stage.step(stage.start, Chunk(samples, 0.0, 50.0))[1].samples


def response(row: list[float], n: int) -> Array:
    """The impulse response (n,) of one section, by its difference equation, sample by sample."""
    b0, b1, b2, a0, a1, a2 = row
    x, y = [1.0] + [0.0] * (n - 1), [0.0] * n
    for i in range(n):
        y[i] = b0 * x[i] + (b1 * x[i - 1] if i > 0 else 0.0) + (b2 * x[i - 2] if i > 1 else 0.0)
        y[i] -= (a1 * y[i - 1] if i > 0 else 0.0) + (a2 * y[i - 2] if i > 1 else 0.0)
        y[i] /= a0
    return np.array(y)


def test_the_filter_is_a_convolution_with_its_impulse_response() -> None:
    samples = np.random.default_rng(0).normal(0, 1, (300, 4))
    stage = iir.build("here", {"sos": BUTTERWORTH}, Inlet(4))
    wanted = samples
    for row in BUTTERWORTH:
        assert isinstance(row, list)
        impulse = response(row, 300)
        wanted = np.stack([np.convolve(column, impulse)[:300] for column in wanted.T], axis=1)
    np.testing.assert_allclose(ran(stage, samples), wanted, atol=1e-10)


def test_the_filter_agrees_with_scipy() -> None:
    signal = pytest.importorskip("scipy.signal")
    samples = np.random.default_rng(1).normal(0, 1, (500, 3))
    wanted = signal.sosfilt(np.array(BUTTERWORTH) / np.array(BUTTERWORTH)[:, 3:4], samples, axis=0)
    np.testing.assert_allclose(ran(iir.build("here", {"sos": BUTTERWORTH}, Inlet(3)), samples), wanted, atol=1e-10)


def test_the_low_pass_passes_the_constant() -> None:
    stage = iir.build("here", {"sos": BUTTERWORTH[:1]}, Inlet(1))
    assert ran(stage, np.ones((400, 1)))[-1] == pytest.approx(1.0, abs=1e-7)


def test_scale_subtracts_then_multiplies() -> None:
    stage = scale.build("here", {"offset": [1.0, 0.0], "gain": [2.0, -0.5]}, Inlet(2))
    assert ran(stage, np.array([[3.0, 4.0]])).tolist() == [[4.0, -2.0]]


def test_magnitude_appends_norms_that_no_turn_changes() -> None:
    parameters: dict[str, Parameter] = {"groups": [[0.0, 1.0, 2.0], [3.0]]}
    stage = magnitude.build("here", parameters, Inlet(4))
    samples = np.random.default_rng(0).normal(0, 1, (50, 4))
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(0, 1, (3, 3)))
    turned = np.column_stack([samples[:, :3] @ turn, samples[:, 3]])
    assert stage.channels == 6
    found = ran(stage, samples)
    np.testing.assert_array_equal(found[:, :4], samples)
    np.testing.assert_allclose(found[:, 4], np.linalg.norm(samples[:, :3], axis=1))
    np.testing.assert_allclose(found[:, 4:], ran(stage, turned)[:, 4:], atol=1e-12)
