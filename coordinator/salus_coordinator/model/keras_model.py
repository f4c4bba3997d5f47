"""The Keras model of a task, from the same layer table as the training program: for comparison, and for
whoever wants Keras.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import keras

from salus_coordinator.model.layers import CLIP, Row, features, layout, rows, window_shape
from salus_edge.task import Task


def whole_model(task: Task) -> Any:
    """Windows (batch, samples, channels) to logits (batch, K)."""
    inputs = x = keras.Input(window_shape(task))
    for row in rows(task):
        x = _layer(row, x)
    return keras.Model(inputs, x, name=task.name)


def dense_model(task: Task) -> Any:
    """Trunk and head alone: features (batch, F) to logits (batch, K)."""
    inputs = x = keras.Input((features(task),))
    for row in rows(task):
        x = x if row.group == "base" else _layer(row, x)
    return keras.Model(inputs, x, name=f"{task.name}_dense")


def set_weights(model: Any, task: Task, flat: NDArray[np.float32]) -> None:
    """Give a model the flat weights (D,), layer by layer, by name."""
    parts = layout(task).split(flat)
    for row in rows(task):
        if row.kernel and any(layer.name == row.name for layer in model.layers):
            model.get_layer(row.name).set_weights([parts[f"{row.name}/kernel"], parts[f"{row.name}/bias"]])


def get_weights(model: Any, task: Task) -> NDArray[np.float32]:
    """The whole model's flat weights (D,)."""
    named = [model.get_layer(row.name) for row in rows(task) if row.kernel]
    return np.concatenate([np.asarray(value).ravel() for layer in named for value in layer.get_weights()])


def compile_sgd(model: Any, rate: float, momentum: float) -> None:
    """Cross entropy from logits; Keras's momentum equals the program's for a constant rate."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(rate, momentum=momentum), loss=loss)


def _layer(row: Row, x: Any) -> Any:
    if row.layer.layer == "conv":
        x = keras.layers.Conv1D(row.layer.filters, row.layer.taps, row.layer.stride, name=row.name)(x)
        return keras.layers.ReLU(max_value=CLIP)(x)
    if row.layer.layer == "average_pool":
        width = row.length_in // row.length_out
        x = keras.layers.Cropping1D((0, row.length_in - width * row.length_out))(x)
        return keras.layers.Flatten()(keras.layers.AveragePooling1D(width)(x))
    return keras.layers.Dense(row.layer.units, "relu" if row.layer.relu else None, name=row.name)(x)
