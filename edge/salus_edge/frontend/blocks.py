"""Which front end blocks there are, and how a task's are put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from salus_edge.errors import TaskError
from salus_edge.frontend import beats, cancel, magnitude, orient, resample, scale, spectrum, windows, wrist
from salus_edge.frontend import filter as iir
from salus_edge.frontend.chunk import Cutter, Inlet, Reshape, Stage, Wrist, on_windows
from salus_edge.task import Parameter, Task, Window

_Given = Mapping[str, Parameter]

STREAM: Final[dict[str, Callable[[str, _Given, Inlet], Stage[Any]]]] = {
    "filter": iir.build,
    "orient": orient.build,
    "resample": resample.build,
}
EITHER: Final[dict[str, Callable[[str, _Given, Inlet], Stage[None]]]] = {
    "magnitude": magnitude.build,
    "scale": scale.build,
    "wrist": wrist.build,
}
CUTTERS: Final[dict[str, Callable[[str, _Given, Inlet, Window], Cutter[Any]]]] = {"beats": beats.build}
ON_WINDOWS: Final[dict[str, Callable[[str, _Given, Inlet], Reshape]]] = {
    "cancel": cancel.build,
    "spectrum": spectrum.build,
}
BLOCKS: Final = tuple(sorted([*STREAM, *EITHER, *CUTTERS, *ON_WINDOWS]))
MOST_CHANNELS: Final = 16
MOST_SAMPLES: Final = 65_535


@dataclass(frozen=True, slots=True)
class Blocks:
    """On the stream, then what cuts windows of it, then on the windows; the stream is cut at `rate_hz`."""

    stream: tuple[Stage[Any], ...]
    cutter: Cutter[Any]
    windows: tuple[Reshape, ...]
    rate_hz: float


def build(task: Task, arm: Wrist) -> Blocks:
    """The task's blocks, ready, each with the channels that the one before gives. Raises TaskError.

    Windows are cut by a block that knows events; else before the first block that needs them whole, else last.
    """
    stream: list[Stage[Any]] = []
    reshapes: list[Reshape] = []
    cutter: Cutter[Any] | None = None
    inlet = Inlet(len(task.channels), float(np.float32(task.rate_hz)), wrist=arm)
    if not 1 <= len(task.channels) <= MOST_CHANNELS or not 1 <= task.window.samples <= MOST_SAMPLES:
        raise TaskError(f"task {task.name}: 1 to {MOST_CHANNELS} channels, and windows of 1 to {MOST_SAMPLES} samples")
    for index, block in enumerate(task.frontend):
        where = f"task {task.name}, frontend[{index}] ({block.block})"
        name, given = block.block, block.parameters
        if name not in BLOCKS:
            raise TaskError(f"{where}: no such block; known are {', '.join(BLOCKS)}")
        if cutter is not None and (name in STREAM or name in CUTTERS):
            raise TaskError(f"{where}: it works on the stream, and stands before what cuts or takes windows")
        if name in CUTTERS:
            cutter = CUTTERS[name](where, given, inlet, task.window)
            inlet = replace(inlet, channels=cutter.channels, rows=cutter.rows)
        elif name in ON_WINDOWS:
            if cutter is None:
                cutter = _hop(task, inlet)
                inlet = replace(inlet, rows=cutter.rows)
            reshape = ON_WINDOWS[name](where, given, inlet)
            reshapes.append(reshape)
            inlet = replace(inlet, channels=reshape.channels, rows=reshape.rows)
        else:
            stage = (STREAM.get(name) or EITHER[name])(where, given, inlet)
            if cutter is None:
                stream.append(stage)
                up, down = stage.ratio
                inlet = replace(inlet, channels=stage.channels, rate_hz=inlet.rate_hz * up / down)
            else:
                reshapes.append(on_windows(stage, inlet.rows))
                inlet = replace(inlet, channels=stage.channels)
        if inlet.channels > MOST_CHANNELS:
            raise TaskError(f"{where}: {inlet.channels} channels come out; at most {MOST_CHANNELS} may")
    cutter = cutter or _hop(task, inlet)
    _check(task, cutter)
    return Blocks(tuple(stream), cutter, tuple(reshapes), inlet.rate_hz)


def _hop(task: Task, inlet: Inlet) -> Cutter[Any]:
    if task.window.trigger != "hop":
        raise TaskError(f"task {task.name}: window.trigger is event, and no block before the windows knows events")
    return windows.build(inlet, task.window)


def _check(task: Task, cutter: Cutter[Any]) -> None:
    if task.window.trigger == "hop" and cutter.aux:
        raise TaskError(f"task {task.name}: a block triggers the windows; window.trigger is event, without hop")
    if task.window.aux != cutter.aux:
        raise TaskError(f"task {task.name}: window.aux is {cutter.aux}, which its blocks give, not {task.window.aux}")
