"""The firmware's front end gives Python's windows bit for bit: on random front ends, and on people's recordings."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import salus_coordinator.tasks
from salus_coordinator.data import DataSet, file_of, load
from salus_coordinator.data.windows import channels
from salus_edge.frontend import Chunk, FrontEnd, Windows, joined
from salus_edge.task import Block, Parameter, Task, Window, load_task
from tests.edge.frontend.people import CANCEL, SIX, SPECTRUM, T0_MS, TRIADS, block, sensor, task
from tests.firmware.front_end import Push, compiled, replay

TASKS = Path(str(salus_coordinator.tasks.__file__)).parent


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("front_end"))


def in_python(which: Task, pushes: list[Push]) -> Windows:
    front_end, state = FrontEnd.of(which), None
    found = front_end.none
    for t0_ms, samples in pushes:
        state, windows = front_end.step(state, Chunk(samples.astype(np.float64), t0_ms, which.rate_hz))
        found = joined(found, windows)
    return found


def assert_same(one: Windows, other: Windows) -> None:
    np.testing.assert_array_equal(one.start_ms, other.start_ms)
    np.testing.assert_array_equal(one.aux, other.aux)
    np.testing.assert_array_equal(one.windows.view(np.uint32), other.windows.view(np.uint32))


def in_pieces(which: Task, samples: np.ndarray, rng: np.random.Generator) -> list[Push]:
    """Pieces of random length, now and then a gap, a clock that wanders."""
    edges = [0, *sorted(rng.integers(0, len(samples), 12).tolist()), len(samples)]
    made, late_ms = [], 0.25
    for a, b in pairwise(edges):
        late_ms += float(rng.choice([0.0, 0.0, 0.3 / which.rate_hz * 1000, 90_000.0], p=[0.4, 0.4, 0.1, 0.1]))
        made.append((T0_MS + a * 1000.0 / which.rate_hz + late_ms, samples[a:b].astype(np.float32)))
    return made


def random_filter(rng: np.random.Generator) -> Block:
    """Stable sections by their poles: pairs of real ones, or of a radius and an angle."""
    rows: list[float | list[float]] = []
    for _ in range(rng.integers(1, 4)):
        radius, angle = rng.uniform(0.0, 0.97), rng.uniform(0.0, np.pi)
        a0 = float(rng.uniform(0.5, 2.0))
        poles = [1.0, -2.0 * radius * float(np.cos(angle)), radius * radius]
        rows.append([*rng.normal(0.0, 1.0, 3).tolist(), *(a0 * each for each in poles)])
    return block("filter", sos=rows)


def random_watch(rng: np.random.Generator) -> Task:
    """Blocks of a watch in a random order."""
    samples, ups = int(rng.integers(1, 60)), [(1, 1), (1, 2), (3, 7), (32, 81), (5, 3)]
    up, down = ups[rng.integers(len(ups))]
    orient: dict[str, Parameter] = {"groups": TRIADS, "axis": rng.normal(0, 1, 3).tolist(), "samples": 20.0}
    blocks = [
        random_filter(rng),
        block("resample", up=float(up), down=float(down)),
        block("wrist", worn="left", mirror=rng.choice([-1.0, 1.0], 6).tolist()),
        Block(block="orient", parameters=orient | {"still": 0.5}),
        block("scale", offset=rng.normal(0, 1, 6).tolist(), gain=rng.normal(0, 1, 6).tolist()),
    ]
    chosen = [blocks[i] for i in rng.permutation(5)[: rng.integers(0, 6)]]
    if rng.random() < 0.5:
        chosen.append(block("magnitude", groups=[[0.0, 1.0, 2.0], [3.0], [5.0, 4.0]]))
    return task(SIX, 50.0, Window(samples=samples, hop=int(rng.integers(1, samples + 1))), *chosen)


def random_heart(rng: np.random.Generator) -> Task:
    """Regression of other sizes, then the spectrum, or not."""
    lags = np.unique(rng.integers(-3, 6, rng.integers(1, 7))).astype(float).tolist()
    references: list[float | list[float]] = [2.0, 3.0, 4.0]
    references = references[: rng.integers(1, 4)]
    ridge = float(10.0 ** rng.uniform(-6, 0))
    made = [block("cancel", targets=[1.0, 0.0], references=references, lags=lags, ridge=ridge)]
    if rng.random() < 0.6:
        made.append(block("spectrum", low_hz=float(rng.uniform(0.3, 1.0)), per_octave=24.0, bins=64.0, floor=0.05))
    samples = int(rng.integers(8, 120))
    window = Window(samples=samples, hop=int(rng.integers(1, samples + 1)))
    return task(["p", "q", "ax", "ay", "az"], 25.0, window, *made)


def random_ecg(rng: np.random.Generator) -> Task:
    """Other rates, lengths and thresholds."""
    samples = int(rng.integers(20, 90))
    before, threshold = float(rng.integers(0, samples)), float(rng.uniform(0.05, 0.6))
    beats = block("beats", channel=0.0, before=before, threshold=threshold)
    rate_hz = float(rng.uniform(90.0, 260.0))
    return task(["ecg"], rate_hz, Window(samples=samples, trigger="event", aux=17), beats)


@pytest.mark.parametrize("kind", [random_watch, random_heart, random_ecg])
@pytest.mark.parametrize("seed", range(8))
def test_random_front_ends(program: Path, kind: type, seed: int) -> None:
    rng = np.random.default_rng(seed)
    which = kind(rng)
    pushes = in_pieces(which, sensor(which, 6000 if kind is random_ecg else 700, seed), rng)
    assert_same(replay(program, which, pushes), in_python(which, pushes))


PPG_LOW_PASS = [
    0.04221355173994535,
    0.0844271034798907,
    0.04221355173994535,
    1.0,
    -1.3406116125039085,
    0.5094658194636899,
]
PPG_HIGH_PASS = [0.982385438526092, -1.964770877052184, 0.982385438526092, 1.0, -1.9644605802052324, 0.9650811738991353]
ECG_HIGH_PASS = [0.9956556052974892, -0.9956556052974892, 0.0, 1.0, -0.9913112105949783, 0.0]
ECG_LOW_PASS = [
    0.08042365897205703,
    0.16084731794411405,
    0.08042365897205703,
    1.0,
    -1.0533299208134783,
    0.37502455670170654,
]
HEART = task(  # Butterworth of second order, 0.5 to 9.5 Hz
    ["ppg1", "ppg2", "ax", "ay", "az"],
    125.0,
    Window(samples=200, hop=50),
    block("filter", sos=[PPG_LOW_PASS, PPG_HIGH_PASS]),
    block("resample", up=1.0, down=5.0),
    CANCEL,
    SPECTRUM,
)
ECG = task(  # high-pass 0.5 Hz of first order, low-pass 40 Hz of second
    ["ecg"],
    360.0,
    Window(samples=128, trigger="event", aux=17),
    block("filter", sos=[ECG_HIGH_PASS, ECG_LOW_PASS]),
    block("resample", up=32.0, down=81.0),
    block("beats", channel=0.0, before=50.0, threshold=0.2),
)
REAL = {
    "weda_fall": load_task(TASKS / "fall.toml"),
    "hapt": load_task(TASKS / "activity.toml"),
    "ieee_spc2015": HEART,
    "mitdb": ECG,
}


def data_set(name: str) -> DataSet:
    if file_of(name) is None:
        pytest.skip(f"{name} is absent: set SALUS_DATA")
    return load(name)


@pytest.mark.parametrize("name", REAL)
def test_recordings_of_people(program: Path, name: str) -> None:
    which, count = REAL[name], 0
    recordings = data_set(name).recordings
    for recording in recordings[:: max(1, len(recordings) // 4)]:
        pushes = in_pieces(which, channels(which, recording)[:20_000], np.random.default_rng(1))
        found = replay(program, which, pushes)
        assert_same(found, in_python(which, pushes))
        count += len(found.start_ms)
    assert count >= 30


@pytest.mark.slow
def test_the_r_detector_on_mit_bih(program: Path) -> None:
    """All 44 records without pacemaker, from 5 s on: learning takes 2.5 s. A beat is found within 0.15 s."""
    right = missed = odd = 0
    for recording in data_set("mitdb").recordings:
        if recording.session in ("102", "104", "107", "217"):
            continue
        found = replay(program, ECG, [(0.0, channels(ECG, recording))]).start_ms + 50 * 1000 * 81 / (360 * 32)
        true = np.array([span.start for span in recording.spans]) * 1000 / 360
        last = len(recording.samples) * 1000 / 360 - 5000
        true, found = true[(true > 5000) & (true < last)], found[(found > 4850) & (found < last + 150)]
        near = np.abs(found[None, :] - true[:, None]).min(axis=1) <= 150
        own = np.abs(found[:, None] - true[None, :]).min(axis=1) <= 150
        right, missed, odd = right + int(near.sum()), missed + int((~near).sum()), odd + int((~own).sum())
    print(f"sensitivity {100 * right / (right + missed):.2f} %, PPV {100 * right / (right + odd):.2f} %")
    assert right / (right + missed) > 0.995 and right / (right + odd) > 0.99


@pytest.mark.slow
def test_the_heart_rate_by_cancellation_and_a_filter_over_the_bins(program: Path) -> None:
    """Causal, nothing learned, second halves of 20 people: mean absolute error per person (anchors/learning.md)."""
    errors: dict[str, list[float]] = {}
    for recording in data_set("ieee_spc2015").recordings:
        found = replay(program, HEART, [(0.0, channels(HEART, recording))])
        spans = recording.spans[: len(found.start_ms)]
        bpm = tracked(found.windows)[len(recording.spans) // 2 : len(spans)]
        true = [float(span.label) for span in spans][len(recording.spans) // 2 :]
        errors.setdefault(recording.subject, []).extend(np.abs(bpm - np.array(true)).tolist())
    each = np.sort([float(np.mean(values)) for values in errors.values()])
    print(f"MAE {each.mean():.2f} bpm, worst tenth {each[-2:].mean():.2f} bpm")
    assert each.mean() < 2.6


def tracked(windows: np.ndarray) -> np.ndarray:
    """bpm (n,): forward filter over the bins, as the prototype's, posterior median."""
    bins = windows.shape[1]
    power = np.exp(windows.astype(np.float64)) - 0.02
    total = power.sum(axis=2)
    emission = (total / total.max(axis=1, keepdims=True) + 0.02) ** 1.5
    steps = np.abs(np.arange(bins)[:, None] - np.arange(bins)[None])
    move = np.maximum(np.exp(-steps / 3.0), 1e-5)
    move /= move.sum(axis=1, keepdims=True)
    belief, found = np.full(bins, 1.0 / bins), []
    for each in emission:
        belief = (belief @ move) * each
        belief /= belief.sum()
        found.append(60.0 * 0.8 * 2.0 ** (min(bins - 1, int(np.searchsorted(np.cumsum(belief), 0.5))) / 64.0))
    return np.array(found)
