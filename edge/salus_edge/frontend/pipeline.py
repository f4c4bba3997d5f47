"""A task's whole front end: samples in, windows out, the same for whatever chunks the samples come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salus_chain.proto import release_pb2
from salus_edge.errors import Refused, TaskError
from salus_edge.frontend import windows as cutting
from salus_edge.frontend.blocks import build
from salus_edge.frontend.chunk import Chunk, Stage
from salus_edge.task import Parameter, Task


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Between two chunks: the blocks' states, the windows', and when the next sample is due."""

    blocks: tuple[Any, ...]
    cutting: cutting.Cutting
    next_ms: float
    count: int  # samples since the stretch began


class Windows(NamedTuple):
    """`start_ms` int64 (n,) UTC, `windows` float32 (n, samples, channels)."""

    start_ms: NDArray[np.int64]
    windows: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """A task's blocks, made ready. Holds no state: `step` takes it and gives the next one."""

    task: Task
    stages: tuple[Stage[Any], ...]

    @classmethod
    def of(cls, task: Task) -> FrontEnd:
        """Raises TaskError: an unknown block or parameter, or one that cannot be."""
        if not task.rate_hz > 0.0:
            raise TaskError(f"task {task.name}: rate_hz is above 0, not {task.rate_hz}")
        return cls(task, build(task))

    @property
    def channels(self) -> int:
        """How many come out."""
        return self.stages[-1].channels if self.stages else len(self.task.channels)

    def step(self, state: State | None, chunk: Chunk) -> tuple[State, Windows]:
        """Take a chunk in; give the windows that it completes.

        `state` is None before the first. A gap (over 1.5 periods between samples, or time that goes back)
        starts blocks and windows anew. Raises Refused: `not_finite`, `malformed` (other channels, rate).
        """
        self._check(chunk)
        if state is None or cutting.gap(state.next_ms, chunk):
            state = self._begin(chunk)
        blocks, next_ms = [], chunk.end_ms
        opened = cutting.follow(state.cutting, state.count, chunk)
        for stage, before in zip(self.stages, state.blocks, strict=True):
            after, chunk = stage.step(before, chunk)
            blocks.append(after)
        window = self.task.window
        left, start_ms, found = cutting.step(opened, chunk, window.samples, window.hop)
        count = state.count + len(chunk.samples)
        return State(tuple(blocks), left, next_ms, count), Windows(start_ms, found)

    def _begin(self, chunk: Chunk) -> State:
        blocks = tuple(stage.start for stage in self.stages)
        return State(blocks, cutting.begin(chunk, self.channels), chunk.t0_ms, 0)

    def _check(self, chunk: Chunk) -> None:
        wanted = len(self.task.channels)
        if chunk.samples.ndim != 2 or chunk.samples.shape[1] != wanted or chunk.rate_hz != self.task.rate_hz:
            shape = chunk.samples.shape
            due = f"{wanted} channels at {self.task.rate_hz:g} Hz"
            raise Refused("malformed", f"samples {shape} at {chunk.rate_hz:g} Hz where {due} are due")
        bad = np.argwhere(~np.isfinite(chunk.samples))
        if len(bad):
            row, column = bad[0].tolist()
            name = self.task.channels[column]
            raise Refused("not_finite", f"sample {row} after {chunk.t0_ms:.0f} ms: {name} is not a finite number")


def cut(task: Task, samples: NDArray[np.floating[Any]], t0_ms: float) -> Windows:
    """All windows of one uninterrupted stretch of samples (n, channels).

    Raises as FrontEnd.of and FrontEnd.step.
    """
    chunk = Chunk(np.asarray(samples, np.float64), t0_ms, task.rate_hz)
    return FrontEnd.of(task).step(None, chunk)[1]


def quantise(windows: NDArray[np.float32], scale: float, zero_point: int) -> NDArray[np.int8]:
    """round(x / scale) + zero_point, halves to even, clipped to int8, in the windows' shape.

    In float64, as the coordinator quantises. Raises Refused `not_finite`.
    """
    if not np.isfinite(windows).all():
        raise Refused("not_finite", "a window holds a value that is not a finite number")
    steps: NDArray[np.float64] = np.rint(windows.astype(np.float64) / scale) + zero_point
    return np.clip(steps, -128, 127).astype(np.int8)


def manifest_frontend(task: Task) -> release_pb2.FrontEnd:
    """The task's front end as a manifest carries it: parameters sorted by name, text left out.

    A list of lists is one Parameter per inner list, in order and of one name: flat, other groups would look alike.
    """
    blocks = [
        release_pb2.Block(
            name=block.block,
            parameters=[
                release_pb2.Parameter(name=name, values=row)
                for name, value in sorted(block.parameters.items())
                for row in _rows(value)
            ],
        )
        for block in task.frontend
    ]
    return release_pb2.FrontEnd(
        blocks=blocks, window_samples=task.window.samples, hop_samples=task.window.hop, rate_hz=task.rate_hz
    )


def _rows(value: Parameter) -> list[list[float]]:
    if isinstance(value, str):
        return []
    if not isinstance(value, list):
        return [[value]]
    rows = [each for each in value if isinstance(each, list)]
    return rows or [[each for each in value if not isinstance(each, list)]]
