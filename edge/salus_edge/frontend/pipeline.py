"""A task's whole front end: samples in, windows out, the same for whatever chunks the samples come in."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from salus_chain.proto import release_pb2
from salus_edge.errors import Refused, TaskError
from salus_edge.frontend.blocks import Blocks, build
from salus_edge.frontend.chunk import MAX_RATE_HZ, MIN_RATE_HZ, Chunk, Wrist, is_rate
from salus_edge.frontend.windows import follow, gap
from salus_edge.task import Parameter, Task


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """Between two chunks: the blocks' states, the cutter's, the clock, and when the next sample is due."""

    blocks: tuple[Any, ...]
    cutting: Any
    began_ms: float
    next_ms: float
    count: int  # samples since the stretch began


class Windows(NamedTuple):
    """`start_ms` int64 (n,) UTC, `windows` float32 (n, rows, channels), `aux` int16 (n, A)."""

    start_ms: NDArray[np.int64]
    windows: NDArray[np.float32]
    aux: NDArray[np.int16]

    def part(self, which: slice | NDArray[np.bool_]) -> Windows:
        """Some of them."""
        return Windows(self.start_ms[which], self.windows[which], self.aux[which])


def joined(one: Windows, other: Windows) -> Windows:
    """Those of one, then those of the other."""
    return Windows(
        np.concatenate([one.start_ms, other.start_ms]),
        np.concatenate([one.windows, other.windows]),
        np.concatenate([one.aux, other.aux]),
    )


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """A task's blocks, made ready. Holds no state: `step` takes it and gives the next one."""

    task: Task
    blocks: Blocks

    @classmethod
    def of(cls, task: Task, wrist: Wrist = Wrist.AS_TRAINED) -> FrontEnd:
        """Raises TaskError: an unknown block or parameter, or one that cannot be."""
        if not is_rate(float(np.float32(task.rate_hz))):
            raise TaskError(f"task {task.name}: rate_hz is from {MIN_RATE_HZ} to {MAX_RATE_HZ}, not {task.rate_hz}")
        return cls(task, build(task, wrist))

    @property
    def rows(self) -> int:
        """Of a window, as the model takes it."""
        return self.blocks.windows[-1].rows if self.blocks.windows else self.blocks.cutter.rows

    @property
    def channels(self) -> int:
        """How many come out."""
        return self.blocks.windows[-1].channels if self.blocks.windows else self.blocks.cutter.channels

    @property
    def duration_ms(self) -> int:
        """How long the stretch is of which a window is made."""
        return round(self.task.window.samples * 1000.0 / self.blocks.rate_hz)

    @property
    def none(self) -> Windows:
        """No window at all."""
        values = np.zeros((0, self.rows, self.channels), np.float32)
        return Windows(np.zeros(0, np.int64), values, np.zeros((0, self.blocks.cutter.aux), np.int16))

    def step(self, state: State | None, chunk: Chunk) -> tuple[State, Windows]:
        """Take a chunk in; give the windows that it completes.

        `state` is None before the first. A gap (over 1.5 periods between samples, or time that goes back) begins a new
        stretch; what blocks know of the patient stays. Raises Refused: `not_finite`, `malformed` (other channels,
        rate).
        """
        self._check(chunk)
        chunk = replace(chunk, rate_hz=float(np.float32(chunk.rate_hz)))  # as a manifest carries it
        if state is None:
            starts = tuple(stage.start for stage in self.blocks.stream)
            state = State(starts, self.blocks.cutter.start, chunk.t0_ms, chunk.t0_ms, 0)
        elif gap(state.next_ms, chunk):
            state = self._renewed(state, chunk.t0_ms)
        began_ms, next_ms = follow(state.began_ms, state.count, chunk), chunk.end_ms
        count = state.count + len(chunk.samples)
        after: list[Any] = []
        chunk = replace(chunk, index=state.count)
        for stage, before in zip(self.blocks.stream, state.blocks, strict=True):
            now, chunk = stage.step(before, chunk)
            after.append(now)
        cutting, frames = self.blocks.cutter.step(state.cutting, chunk)
        values = frames.values
        for reshape in self.blocks.windows if len(values) else ():
            values = reshape.apply(values)
        start_ms = np.rint(began_ms + frames.index * 1000.0 / self.blocks.rate_hz).astype(np.int64)
        found = Windows(start_ms, values, frames.aux) if len(values) else self.none
        return State(tuple(after), cutting, began_ms, next_ms, count), found

    def don(self, state: State) -> State:
        """The state after the wearable was put on anew: the orientation is to be found again, in a new stretch."""
        blocks = tuple(
            stage.don(before) if stage.don else before
            for stage, before in zip(self.blocks.stream, state.blocks, strict=True)
        )
        return replace(state, blocks=blocks, next_ms=-math.inf)

    def _renewed(self, state: State, t0_ms: float) -> State:
        blocks = tuple(
            stage.renew(before) if stage.renew else stage.start
            for stage, before in zip(self.blocks.stream, state.blocks, strict=True)
        )
        cutter = self.blocks.cutter
        cutting = cutter.renew(state.cutting) if cutter.renew else cutter.start
        return State(blocks, cutting, t0_ms, t0_ms, 0)

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
    """The task's front end as a manifest carries it: parameters sorted by name.

    A list of lists is one Parameter per inner list, in order and of one name: flat, other groups would look alike.
    """
    window = task.window
    blocks = [
        release_pb2.Block(
            name=block.block,
            parameters=[each for name, value in sorted(block.parameters.items()) for each in _parameters(name, value)],
        )
        for block in task.frontend
    ]
    return release_pb2.FrontEnd(
        blocks=blocks,
        window_samples=window.samples,
        hop_samples=window.hop,
        rate_hz=task.rate_hz,
        trigger=release_pb2.FrontEnd.EVENT if window.trigger == "event" else release_pb2.FrontEnd.HOP,
        aux_values=window.aux,
    )


def _parameters(name: str, value: Parameter) -> list[release_pb2.Parameter]:
    if isinstance(value, str):
        return [release_pb2.Parameter(name=name, text=value)]
    return [release_pb2.Parameter(name=name, values=row) for row in _rows(value)]


def _rows(value: float | list[float | list[float]]) -> list[list[float]]:
    if not isinstance(value, list):
        return [[value]]
    rows = [each for each in value if isinstance(each, list)]
    return rows or [[each for each in value if not isinstance(each, list)]]
