"""What a wearable measures: its front end, its model, and the packets that a group of windows becomes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from salus_chain.proto.release_pb2 import Manifest
from salus_edge.frontend import Chunk, FrontEnd, State, Windows, joined, quantise
from salus_edge.link.messages import FeatureBatch, WindowBatch
from salus_edge.link.seal import Sealer
from salus_edge.task import Task
from salus_hil.virtual.engine import Engine
from salus_hil.virtual.schedule import Piece


def groups(front_end: FrontEnd, piece: Piece, size: int) -> Iterator[Windows]:
    """All windows of a piece, `size` at a time, the last group shorter; the same at every call."""
    task = front_end.task
    step = max(task.window.samples, round(task.rate_hz))
    state: State | None = None
    ready = front_end.none
    for first in range(0, len(piece.samples), step):
        t0_ms = piece.t0_ms + first * 1000.0 / task.rate_hz
        chunk = Chunk(piece.samples[first : first + step].astype(np.float64), t0_ms, task.rate_hz)
        state, new = front_end.step(state, chunk)
        ready = joined(ready, new)
        while len(ready.start_ms) >= size:
            yield ready.part(slice(size))
            ready = ready.part(slice(size, None))
    if len(ready.start_ms):
        yield ready


def duration_ms(task: Task) -> int:
    """How long a window is."""
    return FrontEnd.of(task).duration_ms


def feature_batch(task: Task, manifest: Manifest, engine: Engine, windows: Windows) -> FeatureBatch:
    """The features of these windows, by the model of `manifest`."""
    values = engine.run(quantise(windows.windows, manifest.input.scale, manifest.input.zero_point))
    return FeatureBatch(
        task=task.name,
        model_version=manifest.version,
        base_sha256=manifest.sha256,
        start_ms=windows.start_ms,
        duration_ms=duration_ms(task),
        values=values,
        aux=windows.aux,
    )


def window_packets(task: Task, windows: Windows, per_packet: int, consent: bytes) -> list[bytes]:
    """The plaintexts of the Windows packets that carry these windows."""
    return [
        WindowBatch(
            task=task.name,
            start_ms=windows.start_ms[first : first + per_packet],
            duration_ms=duration_ms(task),
            windows=windows.windows[first : first + per_packet],
            consent=consent,
        ).encode()
        for first in range(0, len(windows.start_ms), per_packet)
    ]


def before(windows: Windows, until_ms: int, length_ms: int) -> Windows:
    """Those that end by `until_ms`."""
    keep = windows.start_ms + length_ms <= until_ms
    return windows.part(keep)


class RawCost:
    """Bytes that windows take when sealed as Windows packets: really sealed, with a key of no use elsewhere."""

    def __init__(self, topic: str) -> None:
        self._topic, self._sealer = topic, Sealer(os.urandom(32), 1)

    def of(self, task: Task, windows: Windows, per_packet: int) -> int:
        plaintexts = window_packets(task, windows, per_packet, bytes(32))
        return sum(len(self._sealer.seal(self._topic, each).payload) for each in plaintexts)
