"""Small tasks, data sets and packages that the coordinator's tests share; no TensorFlow at import."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from salus_coordinator.data.form import DataSet, Recording, Span
from salus_coordinator.model.quantise import Reference
from salus_edge.task import Block, Budget, Feature, Layer, Task, Window

CHANNELS = ("ax", "ay", "az", "wx", "wy", "wz")


def small_task(bins: int = 2, samples: int = 41, flash_bytes: int = 20_000) -> Task:
    """Two convolutions whose strides do not divide the window, a pool that drops a step, a trunk, three classes."""
    return Task(
        name="small",
        title="a small task",
        channels=list(CHANNELS),
        rate_hz=50.0,
        classes=["a", "b", "c"],
        window=Window(samples=samples, hop=16),
        frontend=[Block(block="magnitude", parameters={"groups": [[0, 1, 2], [3, 4, 5]]})],
        base=[
            Layer(layer="conv", filters=5, taps=6, stride=2),
            Layer(layer="conv", filters=7, taps=3, stride=1),
            Layer(layer="average_pool", bins=bins),
        ],
        trunk=[Layer(layer="dense", units=6, relu=True)],
        feature=Feature(scale=6 / 255, zero_point=-128),
        budget=Budget(flash_bytes=flash_bytes, arena_bytes=16_384, macs=100_000),
        batch=8,
    )


def reference(task: Task, count: int = 60, seed: int = 0) -> Reference:
    """Windows of noise whose class is how strong the first channel is."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(task.classes)
    windows = rng.normal(size=(count, task.window.samples, len(task.channels) + 2))
    windows[:, :, 0] *= 1.0 + labels[:, None]
    return Reference(windows.astype(np.float32), labels.astype(np.int64))


def recording(
    subject: str, session: str, length: int = 400, label: str = "a", seed: int = 0, rate_hz: float = 50.0
) -> Recording:
    """Noise with one label from start to end."""
    samples: NDArray[np.float32] = np.random.default_rng(seed).normal(size=(length, 6)).astype(np.float32)
    return Recording(subject, session, CHANNELS, rate_hz, samples, (Span(0, length, label),))


def data_set(people: int = 4, split_by_session: bool = False, sessions: int = 3, length: int = 400) -> DataSet:
    """Each person does each class once per session."""
    recordings = tuple(
        recording(f"p{person}", f"{session}-{label}", length, label, seed=97 * person + 7 * session + ord(label))
        for person in range(people)
        for session in range(sessions)
        for label in "abc"
    )
    return DataSet("made", "made up", "CC0", recordings, "session" if split_by_session else "time")
