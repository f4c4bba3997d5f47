"""The layer table of a task, resolved: one row per layer builds the Keras model, the training program and the
device model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_chain.layout import Group, Layout, Variable
from salus_coordinator.errors import ModelError
from salus_edge.frontend.pipeline import FrontEnd
from salus_edge.task import Layer, Task

CLIP: Final = 6.0  # base activations stay in [0, 6]: a fixed feature scale, and ReLU6 on the device


@dataclass(frozen=True, slots=True)
class Row:
    """One layer with its sizes. `length` is time steps; a dense layer has length 1.

    `kernel` is (taps, in, out) for a convolution, (in, out) for a dense layer, () for a pool.
    """

    name: str
    group: Group
    layer: Layer
    length_in: int
    channels_in: int
    length_out: int
    channels_out: int
    kernel: tuple[int, ...]

    @property
    def weights(self) -> int:
        return math.prod(self.kernel) + self.channels_out if self.kernel else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one window; a pool's additions count as such."""
        if self.kernel:
            return self.length_out * math.prod(self.kernel)
        return self.length_out * self.channels_out * (self.length_in // self.length_out)


def rows(task: Task) -> tuple[Row, ...]:
    """Base, trunk and head of a task. Raises ModelError, naming the layer that cannot be."""
    table: list[Row] = []
    length, channels = window_shape(task)
    for index, layer in enumerate(task.base):
        row = _base_row(f"base{index}", layer, length, channels)
        table.append(row)
        length, channels = row.length_out, row.channels_out
    width = length * channels
    for index, layer in enumerate(task.trunk):
        table.append(_dense_row(f"trunk{index}", "trunk", layer, width))
        width = layer.units
    head = Layer(layer="dense", units=len(task.classes))
    table.append(_dense_row("head", "head", head, width))
    return tuple(table)


def window_shape(task: Task) -> tuple[int, int]:
    """(samples, channels) of one window after the front end."""
    front_end = FrontEnd.of(task)
    return front_end.rows, front_end.channels


def features(task: Task) -> int:
    """Length of a feature: bins times channels of the last base layer."""
    return next(row.kernel[0] for row in rows(task) if row.group != "base")


def layout(task: Task) -> Layout:
    """The declared flat order of the task's variables: kernel then bias, base first, head last."""
    variables: list[Variable] = []
    for row in rows(task):
        if row.kernel:
            variables.append(Variable(f"{row.name}/kernel", row.kernel, row.group))
            variables.append(Variable(f"{row.name}/bias", (row.channels_out,), row.group))
    return Layout(tuple(variables))


def initial(task: Task, rng: np.random.Generator) -> NDArray[np.float32]:
    """First weights (D,), drawn after He et al. 2015 (arXiv 1502.01852); biases 0, the head at a tenth."""
    parts: list[NDArray[np.float64]] = []
    for row in rows(task):
        if row.kernel:
            fan_in = math.prod(row.kernel[:-1])
            gain = 0.1 if row.group == "head" else 1.0
            parts.append(rng.normal(0.0, gain * math.sqrt(2.0 / fan_in), math.prod(row.kernel)))
            parts.append(np.zeros(row.channels_out))
    return np.concatenate(parts).astype(np.float32)


def _base_row(name: str, layer: Layer, length: int, channels: int) -> Row:
    if layer.layer == "average_pool":
        if not 1 <= layer.bins <= length:
            raise ModelError("bad_layer", f"{name}: {layer.bins} bins of {length} steps; use 1 to {length}")
        return Row(name, "base", layer, length, channels, layer.bins, channels, ())
    if layer.layer != "conv":
        raise ModelError("bad_layer", f"{name}: a base has conv and average_pool layers, not {layer.layer!r}")
    if layer.filters < 1 or layer.stride < 1 or layer.taps < 1 or layer.taps % layer.stride:
        raise ModelError("bad_layer", f"{name}: conv needs filters >= 1 and taps a multiple of stride >= 1")
    if layer.taps > length:
        raise ModelError("bad_layer", f"{name}: {layer.taps} taps on {length} steps; shorten it or drop a layer")
    after = (length - layer.taps) // layer.stride + 1
    kernel = (layer.taps, channels, layer.filters)
    return Row(name, "base", layer, length, channels, after, layer.filters, kernel)


def _dense_row(name: str, group: Group, layer: Layer, width: int) -> Row:
    if layer.units < 1:
        raise ModelError("bad_layer", f"{name}: a dense layer needs units >= 1")
    return Row(name, group, layer, 1, width, 1, layer.units, (width, layer.units))
