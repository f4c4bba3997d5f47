"""Signals and tasks for the tests of the front end: one task for each block, and what a sensor would say."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

import salus_coordinator.tasks
from salus_edge.frontend import Chunk, FrontEnd, State, Windows, Wrist, joined
from salus_edge.task import Block, Parameter, Task, Window, load_task

EXERCISE = load_task(Path(str(salus_coordinator.tasks.__file__)).with_name("exercise.toml"))
T0_MS = 1_767_225_600_000
SIX = ["ax", "ay", "az", "wx", "wy", "wz"]
TRIADS: Parameter = [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
LOW_PASS = [0.6389455251590224, 1.2778910503180447, 0.6389455251590224, 1.0, 1.1429805025399, 0.4128015980961886]


def block(name: str, **parameters: Parameter) -> Block:
    return Block(block=name, parameters=parameters)


def task(channels: list[str], rate_hz: float, window: Window, *blocks: Block) -> Task:
    return msgspec.structs.replace(EXERCISE, channels=channels, rate_hz=rate_hz, window=window, frontend=list(blocks))


MOTION = Window(samples=32, hop=16)
BEATS = block("beats", channel=0.0, before=50.0, threshold=0.2)
CANCEL = block("cancel", targets=[0.0, 1.0], references=[2.0, 3.0, 4.0], lags=[-1.0, 0.0, 1.0, 2.0], ridge=0.001)
SPECTRUM = block("spectrum", low_hz=0.8, per_octave=64.0, bins=128.0, floor=0.02)
TASKS = {
    "filter": task(SIX, 50.0, MOTION, block("filter", sos=[LOW_PASS])),
    "resample": task(SIX, 50.0, MOTION, block("resample", up=3.0, down=7.0)),
    "scale": task(SIX, 50.0, MOTION, block("scale", offset=[0.5] * 6, gain=[1.5] * 6)),
    "magnitude": task(SIX, 50.0, MOTION, block("magnitude", groups=TRIADS)),
    "wrist": task(SIX, 50.0, MOTION, block("wrist", worn="left", mirror=[-1.0, 1.0, 1.0, 1.0, -1.0, -1.0])),
    "orient": task(SIX, 50.0, MOTION, block("orient", groups=TRIADS, axis=[1.0, 0.0, 0.0], samples=25.0, still=0.4)),
    "beats": task(["ecg"], 142.0, Window(samples=128, trigger="event", aux=17), BEATS),
    "cancel": task(["p", "q", "ax", "ay", "az"], 25.0, Window(samples=200, hop=50), CANCEL),
    "spectrum": task(["p", "q"], 25.0, Window(samples=200, hop=50), SPECTRUM),
}


def sensor(which: Task, n: int, seed: int = 0) -> NDArray[np.float32]:
    """(n, channels) for a task above: an ECG, a pulse under motion, or a watch that comes to rest."""
    rng = np.random.default_rng(seed)
    channels = len(which.channels)
    if channels == 1:
        return ecg(n, which.rate_hz, seed)[:, None]
    seconds = np.arange(n) / which.rate_hz
    samples = rng.normal(0.0, 0.05, (n, channels))
    if channels == 6:
        still = (seconds % 8.0) < 3.0
        samples[:, :3] += np.array([0.3, -0.2, 0.93]) + np.where(still, 0.0, 0.6)[:, None] * rng.normal(0, 1, (n, 3))
        samples[:, 3:] += np.where(still, 0.0, 1.0)[:, None] * rng.normal(0, 1, (n, 3))
        return samples.astype(np.float32)
    pulse, steps = np.sin(2 * np.pi * 1.3 * seconds), np.sin(2 * np.pi * 1.9 * seconds + 0.4)
    samples[:, :2] += (pulse + 1.7 * steps)[:, None] * np.array([1.0, 0.8])
    samples[:, 2:] += steps[:, None] * np.array([1.0, -0.5, 0.2])[: channels - 2]
    return samples.astype(np.float32)


def ecg(n: int, rate_hz: float, seed: int = 0) -> NDArray[np.float32]:
    """A lead with P, QRS and T, a heart rate that wanders, an early wide beat now and then, a pause, noise."""
    rng = np.random.default_rng(seed)
    seconds, lead, at, beat = np.arange(n) / rate_hz, rng.normal(0.0, 0.01, n), 0.4, 0
    while at < n / rate_hz:
        wide = beat % 9 == 7
        for offset, height, width in ((-0.18, 0.1, 0.03), (0.0, 1.1, 0.012), (0.03, -0.25, 0.012), (0.25, 0.25, 0.05)):
            spread = width * (2.5 if wide else 1.0)
            lead += height * np.exp(-(((seconds - at - offset) / spread) ** 2) / 2)
        at += (0.55 if beat % 9 == 6 else 0.8) * (1.0 + 0.05 * rng.normal()) + (3.5 if beat == 25 else 0.0)
        beat += 1
    return lead.astype(np.float32)


def fed(which: Task, samples: NDArray[np.float32], cuts: list[int], wrist: Wrist = Wrist.AS_TRAINED) -> Windows:
    """All windows of the samples, given in the pieces that the cuts make."""
    front_end, found = FrontEnd.of(which, wrist), FrontEnd.of(which).none
    state: State | None = None
    for a, b in pairwise([0, *sorted(cuts), len(samples)]):
        chunk = Chunk(samples[a:b].astype(np.float64), T0_MS + a * 1000.0 / which.rate_hz, which.rate_hz)
        state, windows = front_end.step(state, chunk)
        found = joined(found, windows)
    return found
