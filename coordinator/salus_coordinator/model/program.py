"""The training program: one .tflite that trains a task's model on a gateway without TensorFlow.

Only built-in TFLite operators with gradients made of built-ins: a convolution is reshape, slice, concat and
matmul; an activation is max and min. The weights are two flat vectors (base; trunk and head), so one SGD step
is a handful of vector operations whatever the number of layers.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
import tensorflow as tf

from salus_coordinator.model.layers import CLIP, Row, features, layout, rows, window_shape
from salus_edge.task import Task

RATES: Final = ("lr_shared", "lr_personal", "momentum", "weight_decay", "mu")

Tensor = Any  # TensorFlow has no types


def convolve(x: Tensor, kernel: Tensor, row: Row) -> Tensor:
    """VALID strided convolution (batch, length, channels) as one matmul; equals Keras Conv1D."""
    batch, stride = x.shape[0], row.layer.stride
    blocks = row.length_in // stride
    taps, channels, filters = row.kernel
    x = tf.slice(x, [0, 0, 0], [batch, blocks * stride, channels]) if blocks * stride < row.length_in else x
    x = tf.reshape(x, [batch, blocks, stride * channels])
    parts = [tf.slice(x, [0, at, 0], [batch, row.length_out, stride * channels]) for at in range(taps // stride)]
    patches = tf.reshape(tf.concat(parts, axis=2), [batch * row.length_out, taps * channels])
    return tf.reshape(
        tf.matmul(patches, tf.reshape(kernel, [taps * channels, filters])), [batch, row.length_out, filters]
    )


def pool(x: Tensor, row: Row) -> Tensor:
    """Mean over equal time bins; what does not fill a bin is dropped. Returns (batch, bins * channels)."""
    batch, width = x.shape[0], row.length_in // row.length_out
    x = tf.slice(x, [0, 0, 0], [batch, width * row.length_out, row.channels_in])
    x = tf.reshape(x, [batch, row.length_out, width, row.channels_in])
    return tf.reshape(tf.reduce_mean(x, axis=2), [batch, row.length_out * row.channels_in])


def base_forward(table: Sequence[Row], weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """Windows (batch, samples, channels) to features (batch, F), before quantisation."""
    left = list(weights)
    for row in table:
        if row.group == "base" and row.kernel:
            x = tf.minimum(tf.maximum(convolve(x, left.pop(0), row) + left.pop(0), 0.0), CLIP)
        elif row.group == "base":
            x = pool(x, row)
    return x


def dense_forward(table: Sequence[Row], weights: Sequence[Tensor], f: Tensor) -> Tensor:
    """Features (batch, F) to logits (batch, K)."""
    left = list(weights)
    for row in table:
        if row.group != "base":
            f = tf.matmul(f, left.pop(0)) + left.pop(0)
            f = tf.maximum(f, 0.0) if row.layer.relu else f
    return f


def weighted_loss(logits: Tensor, y: Tensor, weight: Tensor, classes: int) -> Tensor:
    """Weighted mean cross entropy; 0 for a batch whose weights sum to 0."""
    each = -tf.reduce_sum(tf.one_hot(y, classes) * tf.nn.log_softmax(logits), axis=1)
    return tf.reduce_sum(weight * each) / tf.maximum(tf.reduce_sum(weight), 1e-12)


class _Part:
    """One flat vector of weights with its momentum and anchor, and how it is cut into variables."""

    def __init__(self, module: Any, name: str, shapes: Sequence[tuple[int, ...]], personal: Sequence[bool]) -> None:
        sizes = [int(np.prod(shape)) for shape in shapes]
        self.shapes, self.size = list(shapes), sum(sizes)
        self.starts = np.cumsum([0, *sizes]).tolist()
        self.personal = np.repeat(np.asarray(personal, np.float32), sizes)
        self.weights, self.velocity, self.anchor = (
            tf.Variable(tf.zeros(self.size), name=f"{name}_{kind}") for kind in ("weights", "velocity", "anchor")
        )
        setattr(module, name, [self.weights, self.velocity, self.anchor])

    def read(self) -> list[Tensor]:
        flat = self.weights.value()
        ends = zip(self.starts, self.shapes, strict=False)
        return [tf.reshape(tf.slice(flat, [start], [int(np.prod(shape))]), shape) for start, shape in ends]

    def descend(self, gradients: Sequence[Tensor], live: Tensor, rates: Sequence[Tensor]) -> None:
        """One SGD step with momentum (velocity = momentum * velocity + gradient), only where `live` is 1."""
        lr_shared, lr_personal, momentum, weight_decay, mu = rates
        flat = self.weights.value()
        gradient = tf.concat([tf.reshape(each, [-1]) for each in gradients], axis=0)
        gradient += weight_decay * flat + mu * (flat - self.anchor.value())
        before = self.velocity.value()
        velocity = before + live * ((momentum - 1.0) * before + gradient)
        rate = lr_shared + (lr_personal - lr_shared) * self.personal if self.personal.any() else lr_shared
        self.velocity.assign(velocity)
        self.weights.assign(flat - live * rate * velocity)


def build_module(task: Task) -> tuple[Any, dict[str, Any]]:
    """The program as a TensorFlow module and its signatures; `convert` makes it a .tflite."""
    table, module, plan = rows(task), tf.Module(), layout(task)
    cut = [variable for variable in plan.variables if variable.group == "base"]
    rest = [variable for variable in plan.variables if variable.group != "base"]
    base = _Part(module, "base", [v.shape for v in cut], [False] * len(cut))
    dense = _Part(module, "dense", [v.shape for v in rest], [v.group == "head" for v in rest])
    classes, parts = len(task.classes), (base, dense)
    done = tf.constant(0)

    def step(x: Tensor, y: Tensor, weight: Tensor, rates: Sequence[Tensor], from_features: bool) -> dict[str, Tensor]:
        moved = (dense,) if from_features else parts
        with tf.GradientTape() as tape:
            read = [part.read() for part in moved]
            for tensors in read:
                tape.watch(tensors)
            f = x if from_features else base_forward(table, read[0], x)
            loss = weighted_loss(dense_forward(table, read[-1], f), y, weight, classes)
        live = tf.cast(tf.reduce_sum(weight) > 0.0, tf.float32)
        for part, gradients in zip(moved, tape.gradient(loss, read), strict=True):
            part.descend(gradients, live, rates)
        return {"loss": loss}

    def train(x, y, weight, lr_shared, lr_personal, momentum, weight_decay, mu):  # type: ignore[no-untyped-def]
        return step(x, y, weight, (lr_shared, lr_personal, momentum, weight_decay, mu), from_features=False)

    def train_features(f, y, weight, lr_shared, lr_personal, momentum, weight_decay, mu):  # type: ignore[no-untyped-def]
        return step(f, y, weight, (lr_shared, lr_personal, momentum, weight_decay, mu), from_features=True)

    def assign(flat: Tensor, pick: Callable[[_Part], Any]) -> dict[str, Tensor]:
        pick(base).assign(tf.slice(flat, [0], [base.size]))
        pick(dense).assign(tf.slice(flat, [base.size], [dense.size]))
        return {"done": done + 0}

    def load(flat: Tensor) -> dict[str, Tensor]:
        return assign(flat, lambda part: part.weights)

    def load_anchor(flat: Tensor) -> dict[str, Tensor]:
        return assign(flat, lambda part: part.anchor)

    def dump(unused: Tensor) -> dict[str, Tensor]:
        return {"flat": tf.concat([base.weights.value(), dense.weights.value()], axis=0) + 0.0 * unused}

    def reset_optimizer(unused: Tensor) -> dict[str, Tensor]:
        for part in parts:
            part.velocity.assign(tf.zeros(part.size) * unused)
        return {"done": done + 0}

    def predict(x: Tensor) -> dict[str, Tensor]:
        return {"logits": dense_forward(table, dense.read(), base_forward(table, base.read(), x))}

    def predict_features(f: Tensor) -> dict[str, Tensor]:
        return {"logits": dense_forward(table, dense.read(), f)}

    def extract(x: Tensor) -> dict[str, Tensor]:
        return {"f": base_forward(table, base.read(), x)}

    def spec(name: str, *shape: int, dtype: Any = tf.float32) -> Any:
        return tf.TensorSpec(shape, dtype, name=name)

    samples, channels = window_shape(task)
    x, f = spec("x", task.batch, samples, channels), spec("f", task.batch, features(task))
    labels = [spec("y", task.batch, dtype=tf.int32), spec("weight", task.batch)]
    rates = [spec(name) for name in RATES]
    flat, unused = spec("flat", plan.size), spec("unused")
    inputs: dict[str, tuple[Callable[..., Any], list[Any]]] = {
        "train": (train, [x, *labels, *rates]),
        "train_features": (train_features, [f, *labels, *rates]),
        "predict": (predict, [x]),
        "predict_features": (predict_features, [f]),
        "features": (extract, [x]),
        "load": (load, [flat]),
        "load_anchor": (load_anchor, [flat]),
        "dump": (dump, [unused]),
        "reset_optimizer": (reset_optimizer, [unused]),
    }
    return module, {
        name: tf.function(function, input_signature=signature).get_concrete_function()
        for name, (function, signature) in inputs.items()
    }


def convert(task: Task) -> bytes:
    """The task's training program as a .tflite, weights 0 (about 2.5 s)."""
    module, signatures = build_module(task)
    with tempfile.TemporaryDirectory(prefix="salus-program-") as folder:
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=list(signatures))
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converter.experimental_enable_resource_variables = True
        return bytes(converter.convert())
