"""The front end: causal, the same whatever the chunks, and equal to a plain oracle."""

from __future__ import annotations

import math
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import salus_coordinator.tasks
from salus_edge.errors import Refused, TaskError
from salus_edge.frontend import Chunk, FrontEnd, cut, manifest_frontend, quantise
from salus_edge.frontend.blocks import BLOCKS
from salus_edge.task import Block, Parameter, Task, Window, load_task

LOW_PASS = [0.6389455251590224, 1.2778910503180447, 0.6389455251590224, 1.0, 1.1429805025399, 0.4128015980961886]
HIGH_PASS = [0.956543225556877, -1.913086451113754, 0.956543225556877, 1.0, -1.911197067426073, 0.914975834801434]
EXERCISE = load_task(Path(str(salus_coordinator.tasks.__file__)).with_name("exercise.toml"))


def task(*blocks: Block, samples: int = 40, hop: int = 15, channels: int = 3) -> Task:
    names = ["ax", "ay", "az", "wx", "wy", "wz"][:channels]
    window = Window(samples=samples, hop=hop)
    return msgspec.structs.replace(EXERCISE, channels=names, window=window, frontend=list(blocks))


def block(name: str, **parameters: Parameter) -> Block:
    return Block(block=name, parameters=parameters)


FULL = task(
    block("filter", sos=[LOW_PASS, HIGH_PASS]),
    block("magnitude", groups=[[0.0, 1.0, 2.0]]),
    block("scale", offset=[0.0, 0.5, 0.0, 1.0], gain=[1.0, 2.0, 1.0, 0.5]),
)


def signal(n: int, channels: int = 3, seed: int = 0) -> NDArray[np.float32]:
    steps = np.random.default_rng(seed).normal(scale=0.1, size=(n, channels))
    return np.cumsum(steps, axis=0).astype(np.float32)


def replay(which: Task, pieces: list[tuple[float, NDArray[np.float32]]]) -> tuple[list[int], NDArray[np.float32]]:
    """All windows of a wearable that gets these (t0_ms, samples), one after another."""
    front_end, state = FrontEnd.of(which), None
    starts: list[int] = []
    windows = [np.zeros((0, which.window.samples, front_end.channels), np.float32)]
    for t0_ms, samples in pieces:
        state, found = front_end.step(state, Chunk(samples.astype(np.float64), t0_ms, which.rate_hz))
        starts += found.start_ms.tolist()
        windows.append(found.windows)
    return starts, np.concatenate(windows)


def oracle(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """FULL's blocks in plain Python: direct form I, coefficients as a manifest carries them."""
    columns = [samples[:, channel].astype(float).tolist() for channel in range(samples.shape[1])]
    for row in (LOW_PASS, HIGH_PASS):
        b0, b1, b2, a0, a1, a2 = (float(np.float32(each)) for each in row)
        for index, x in enumerate(columns):
            y: list[float] = []
            for n in range(len(x)):
                x1, x2 = (x[n - k] if n >= k else 0.0 for k in (1, 2))
                y1, y2 = (y[n - k] if n >= k else 0.0 for k in (1, 2))
                y.append((b0 * x[n] + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2) / a0)
            columns[index] = y
    columns.append([math.hypot(*values) for values in zip(*columns, strict=True)])
    offset, gain = [0.0, 0.5, 0.0, 1.0], [1.0, 2.0, 1.0, 0.5]
    return np.array([[(v - o) * g for v in x] for x, o, g in zip(columns, offset, gain, strict=True)]).T


def test_it_equals_a_plain_oracle() -> None:
    samples = signal(400)
    start_ms, windows, _ = cut(FULL, samples, 1000)
    wanted = oracle(samples)
    assert start_ms.tolist() == [1000 + 300 * k for k in range(25)]
    for k, window in enumerate(windows):
        assert np.abs(window - wanted[15 * k : 15 * k + 40]).max() < 1e-6


@settings(max_examples=60)
@given(st.lists(st.integers(0, 90), max_size=12), st.sampled_from([50.0, 48.0, 31.25, 100 / 3, 360.0]))
def test_chunks_make_no_difference(lengths: list[int], rate_hz: float) -> None:
    which = msgspec.structs.replace(FULL, rate_hz=rate_hz)
    samples, begin = signal(sum(lengths)), 1_767_225_600_000
    edges = np.cumsum([0, *lengths]).tolist()
    pieces = [(round(begin + a * 1000.0 / rate_hz), samples[a:b]) for a, b in pairwise(edges)]
    starts, windows = replay(which, pieces)
    whole_starts, whole, _ = cut(which, samples, begin)
    assert starts == whole_starts.tolist()
    assert (windows == whole).all()


@given(st.integers(41, 120))
def test_it_is_causal(n: int) -> None:
    samples = signal(160)
    changed = samples.copy()
    changed[n:] = 7.0
    kept = max(0, (n - 40) // 15 + 1)
    assert (cut(FULL, samples, 0).windows[:kept] == cut(FULL, changed, 0).windows[:kept]).all()


@pytest.mark.parametrize("gap_ms", [11, 20, 1000, -11, -20, -5000])
def test_a_gap_starts_anew(gap_ms: int) -> None:
    first, second = signal(60), signal(70, seed=1)
    starts, windows = replay(FULL, [(0, first), (60 * 20 + gap_ms, second)])
    a, b = cut(FULL, first, 0), cut(FULL, second, 60 * 20 + gap_ms)
    assert starts == a.start_ms.tolist() + b.start_ms.tolist()
    assert (windows == np.concatenate([a.windows, b.windows])).all()


@pytest.mark.parametrize("jitter_ms", [9, -9])
def test_jitter_below_half_a_period_is_no_gap(jitter_ms: int) -> None:
    samples = signal(100)
    starts, windows = replay(FULL, [(0, samples[:50]), (1000 + jitter_ms, samples[50:])])
    assert (windows == cut(FULL, samples, 0).windows).all()
    assert starts == cut(FULL, samples, 0).start_ms.tolist()


def test_a_slow_drift_is_followed_and_is_no_gap() -> None:
    samples, late = signal(4900), 1.03  # a sensor clock 3 % slow: 100 samples take 2,060 ms
    starts, _ = replay(
        task(samples=40, hop=15), [(k * 2000 * late, samples[k * 100 : (k + 1) * 100]) for k in range(49)]
    )
    assert len(starts) < (4900 - 40) // 15 + 1  # 60 ms are more than half a period: each chunk starts anew
    pieces = [(k * 200 * late, samples[k * 10 : (k + 1) * 10]) for k in range(490)]  # 6 ms at a time
    starts, _ = replay(task(samples=40, hop=15), pieces)
    true_ms = np.arange(len(starts)) * 15 * 20 * late
    assert len(starts) == (4900 - 40) // 15 + 1
    assert np.abs(np.array(starts) - true_ms).max() <= 10 + 40 * 0.6  # half a period, and the drift in one window


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_refused_and_changes_nothing(bad: float) -> None:
    front_end = FrontEnd.of(FULL)
    samples = signal(100).astype(np.float64)
    state, _ = front_end.step(None, Chunk(samples[:50], 0, 50.0))
    spoilt = samples[50:].copy()
    spoilt[3, 1] = bad
    with pytest.raises(Refused, match=r"not_finite.*ay"):
        front_end.step(state, Chunk(spoilt, 1000, 50.0))
    _, after = front_end.step(state, Chunk(samples[50:], 1000, 50.0))
    assert (after.windows == cut(FULL, signal(100), 0).windows[-len(after.windows) :]).all()


def test_other_channels_or_another_rate_are_refused() -> None:
    front_end = FrontEnd.of(FULL)
    for chunk in (Chunk(np.zeros((5, 2)), 0, 50.0), Chunk(np.zeros((5, 3)), 0, 25.0), Chunk(np.zeros(5), 0, 50.0)):
        with pytest.raises(Refused, match="malformed"):
            front_end.step(None, chunk)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [
        (block("wavelet"), "no such block"),
        (block("filter"), "sos"),
        (block("filter", sos=[LOW_PASS], order=2.0), "order"),
        (block("filter", sos=[LOW_PASS[:5]]), "sos"),
        (block("filter", sos=[[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]]), "a0"),
        (block("filter", sos=[[1.0, 0.0, 0.0, 1.0, -2.0, 1.0]]), "not stable"),
        (block("filter", sos=[[math.nan, 0.0, 0.0, 1.0, 0.0, 0.0]]), "sos"),
        (block("scale", offset=[0.0, 0.0], gain=[1.0, 1.0, 1.0]), "offset"),
        (block("scale", offset=[0.0, 0.0, 0.0], gain=[1.0, math.inf, 1.0]), "gain"),
        (block("scale", offset=[0.0, 0.0, 0.0]), "gain"),
        (block("magnitude", groups=[[0.0, 3.0]]), "groups"),
        (block("magnitude", groups=[[0.5]]), "groups"),
        (block("magnitude", groups="all"), "groups"),
    ],
)
def test_a_block_that_cannot_be_is_named(wrong: Block, names: str) -> None:
    with pytest.raises(TaskError, match=rf"(?s)frontend\[0\] \({wrong.block}\).*{names}"):
        FrontEnd.of(task(wrong))


def test_every_block_of_the_shipped_tasks_is_known() -> None:
    folder = Path(str(salus_coordinator.tasks.__file__)).parent
    for path in folder.glob("*.toml"):
        shipped = load_task(path)
        assert FrontEnd.of(shipped).channels > 0
        assert {each.block for each in shipped.frontend} <= set(BLOCKS)


def test_the_wearable_computes_with_the_numbers_of_the_manifest() -> None:
    """What float32 of the manifest cannot hold, no wearable can know: coefficients count only to float32."""
    rounded = [float(np.float32(each)) for each in LOW_PASS]
    exact, carried = (
        cut(task(block("filter", sos=[row]), block("scale", offset=[*row[:3]], gain=[*row[:3]])), signal(300), 0)
        for row in (LOW_PASS, rounded)
    )
    assert (exact.windows == carried.windows).all()


def test_the_manifest_is_deterministic_and_sees_every_number() -> None:
    def digest(which: Task) -> bytes:
        return sha256(manifest_frontend(which).SerializeToString(deterministic=True)).digest()

    others = [
        task(*FULL.frontend, hop=16),
        task(*FULL.frontend, samples=41),
        task(*FULL.frontend[:2]),
        task(*reversed(FULL.frontend)),
        task(FULL.frontend[0], FULL.frontend[1], block("scale", offset=[0.0] * 4, gain=[1.0] * 4)),
        task(FULL.frontend[0], block("magnitude", groups=[[0.0], [1.0, 2.0]])),
        task(FULL.frontend[0], block("magnitude", groups=[[0.0, 1.0], [2.0]])),
        msgspec.structs.replace(FULL, rate_hz=51.0),
    ]
    assert len({digest(each) for each in [FULL, *others]}) == 9
    assert digest(FULL) == digest(msgspec.structs.replace(FULL))


def test_quantising_rounds_half_to_even_and_clips() -> None:
    values = np.array([-1e9, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 126.0, 1e9], np.float32) * np.float32(0.25)
    assert quantise(values, 0.25, 0).tolist() == [-128, -2, 0, 0, 0, 2, 2, 126, 127]
    assert quantise(values, 0.25, -128).tolist() == [-128, -128, -128, -128, -128, -126, -126, -2, 127]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_quantising_refuses_what_is_no_number(bad: float) -> None:
    with pytest.raises(Refused, match="not_finite"):
        quantise(np.array([[bad]], np.float32), 0.1, 0)
