"""Random int8 models over the operators of the portable engine, each from a seed.

A generator that draws layers, not bytes: TensorFlow's converter makes the .tflite, so that the models are such as the
engine will meet. Together a few dozen of them use every operator, kind of padding and fused activation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

OPERATORS: Final = frozenset(
    {
        "ADD",
        "AVERAGE_POOL_2D",
        "CONCATENATION",
        "CONV_2D",
        "DEPTHWISE_CONV_2D",
        "EXPAND_DIMS",
        "FULLY_CONNECTED",
        "LOGISTIC",
        "MAX_POOL_2D",
        "MEAN",
        "MUL",
        "PAD",
        "QUANTIZE",
        "RELU",
        "RELU6",
        "RESHAPE",
        "SOFTMAX",
    }
)


def random_model(seed: int) -> bytes:
    """A converted model. Raises nothing of its own; the converter decides which operators it takes."""
    import tensorflow as tf

    rng = np.random.default_rng(seed)
    shape = _input_shape(rng)
    layers = _Layers(tf, rng)

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)], autograph=False)  # type: ignore[untyped-decorator]
    def model(x: Any) -> Any:
        for _ in range(int(rng.integers(1, 5))):
            x = layers.body(x)
        return layers.head(x)

    converter = tf.lite.TFLiteConverter.from_concrete_functions([model.get_concrete_function()])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _windows(seed, shape)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    # Dense layers come with one scale or with one for each unit.
    converter._experimental_disable_per_channel_quantization_for_dense_layers = bool(rng.integers(2))
    return bytes(converter.convert())


def random_inputs(model_input: tuple[int, ...], seed: int, count: int) -> NDArray[np.int8]:
    """`count` inputs: noise of the whole range, of a narrow one, and the extremes."""
    rng = np.random.default_rng(seed)
    inputs = rng.integers(-128, 128, (count, *model_input), np.int8)
    inputs[1::3] = rng.normal(0, 30, inputs[1::3].shape).clip(-128, 127).astype(np.int8)
    inputs[0], inputs[-1] = -128, 127
    return inputs


def operators_of(model: bytes) -> tuple[set[str], tuple[int, ...]]:
    """The operators' names and the input's shape."""
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = parsed.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in parsed.operatorCodes]
    shape = tuple(int(size) for size in graph.tensors[graph.inputs[0]].shape)
    return {names[codes[each.opcodeIndex]] for each in graph.operators}, shape


def _input_shape(rng: np.random.Generator) -> tuple[int, int, int, int]:
    length, channels = int(rng.integers(8, 65)), int(rng.integers(1, 10))
    match int(rng.integers(3)):
        case 0:
            return (1, 1, length, channels)
        case 1:
            return (1, length, 1, channels)
        case _:
            return (1, int(rng.integers(4, 13)), int(rng.integers(4, 13)), channels)


def _windows(seed: int, shape: tuple[int, ...]) -> Iterator[list[NDArray[np.float32]]]:
    rng = np.random.default_rng(seed + 1)
    for _ in range(8):
        yield [rng.normal(rng.normal(0, 0.5), 1, shape).astype(np.float32)]


class _Layers:
    """One random layer after another, with random weights."""

    def __init__(self, tf: Any, rng: np.random.Generator) -> None:
        self.tf, self.rng = tf, rng

    def body(self, x: Any) -> Any:
        draw = [self.convolution, self.depthwise, self.pool, self.add, self.multiply, self.concatenate, self.pad]
        weights = np.array([4, 3, 2, 2, 2, 2, 1], float)
        return draw[int(self.rng.choice(len(draw), p=weights / weights.sum()))](x)

    def head(self, x: Any) -> Any:
        tf, rng = self.tf, self.rng
        match int(rng.integers(5)):
            case 0:
                x = tf.reduce_mean(x, [1, 2])
            case 1:
                x = tf.reshape(tf.reduce_mean(x, [2], keepdims=bool(rng.integers(2))), (1, -1))
            case 2:
                x = tf.nn.avg_pool2d(x, (x.shape[1], x.shape[2]), 1, "VALID")
                x = tf.reshape(x, (1, -1))
            case 3:
                x = tf.reduce_mean(x, [3])
                x = tf.reshape(tf.expand_dims(x, int(rng.integers(0, 4))), (1, -1))
            case _:
                x = tf.reshape(x, (1, -1))
        for _ in range(int(rng.integers(1, 3))):
            x = self.dense(x)
        match int(rng.integers(5)):
            case 0:
                return tf.nn.softmax(x)
            case 1:
                return tf.sigmoid(x)
            case 2:
                return tf.expand_dims(x, 1)
            case _:
                return x

    def convolution(self, x: Any, filters: int | None = None, same: bool = False) -> Any:
        tf, rng = self.tf, self.rng
        kernel = [int(rng.integers(1, min(size, 6) + 1)) for size in x.shape[1:3]]
        stride = [1 if same else int(rng.integers(1, 3)) for _ in kernel]
        dilation = [1, 1]
        if max(stride) == 1 and rng.integers(4) == 0:
            dilation = [2 if 2 * (k - 1) < size else 1 for k, size in zip(kernel, x.shape[1:3], strict=True)]
        padding = "SAME" if same or rng.integers(2) else "VALID"
        filters = filters or int(rng.integers(1, 18))
        weights = self.weights((*kernel, x.shape[3], filters))
        x = tf.nn.conv2d(x, weights, stride, padding, dilations=dilation)
        return self.activate(x + self.weights((filters,)) if rng.integers(4) else x)

    def depthwise(self, x: Any) -> Any:
        tf, rng = self.tf, self.rng
        kernel = [int(rng.integers(1, min(size, 5) + 1)) for size in x.shape[1:3]]
        stride = int(rng.integers(1, 3))
        multiplier = int(rng.choice([1, 1, 2, 3]))
        weights = self.weights((*kernel, x.shape[3], multiplier))
        x = tf.nn.depthwise_conv2d(x, weights, (1, stride, stride, 1), str(rng.choice(["SAME", "VALID"])))
        return self.activate(x + self.weights((x.shape[3],)) if rng.integers(4) else x)

    def pool(self, x: Any) -> Any:
        rng = self.rng
        kernel = [int(rng.integers(1, min(size, 4) + 1)) for size in x.shape[1:3]]
        stride = [int(rng.integers(1, 3)) for _ in kernel]
        pool = self.tf.nn.max_pool2d if rng.integers(2) else self.tf.nn.avg_pool2d
        return pool(x, kernel, stride, str(rng.choice(["SAME", "VALID"])))

    def add(self, x: Any) -> Any:
        match int(self.rng.integers(3)):
            case 0:
                return self.activate(x + self.convolution(x, x.shape[3], same=True))
            case 1:
                return self.activate(x + self.weights((1, x.shape[1], 1, 1)))
            case _:
                return self.activate(x + self.tf.reduce_mean(x, [1, 2], keepdims=True))

    def multiply(self, x: Any) -> Any:
        tf = self.tf
        match int(self.rng.integers(3)):
            case 0:
                squeezed = tf.reduce_mean(x, [1, 2], keepdims=True)
                return x * tf.sigmoid(self.convolution(squeezed, x.shape[3]))
            case 1:
                return self.activate(x * self.weights((1, 1, x.shape[2], 1)))
            case _:
                return self.activate(x * self.convolution(x, x.shape[3], same=True))

    def concatenate(self, x: Any) -> Any:
        if self.rng.integers(2):
            return self.tf.concat([x, self.convolution(x, same=True)], 3)
        other = self.convolution(x, x.shape[3], same=True)
        return self.tf.concat([x, other, x], int(self.rng.integers(1, 4)))

    def pad(self, x: Any) -> Any:
        around = self.rng.integers(0, 3, (4, 2))
        around[0] = 0
        if self.rng.integers(2):
            around[3] = 0
        x = self.tf.pad(x, around)
        return self.tf.nn.relu6(x) if self.rng.integers(2) else self.tf.nn.relu(x)

    def dense(self, x: Any) -> Any:
        units = int(self.rng.integers(1, 13))
        x = self.tf.matmul(x, self.weights((x.shape[1], units)))
        return self.activate(x + self.weights((units,)) if self.rng.integers(4) else x)

    def activate(self, x: Any) -> Any:
        match int(self.rng.integers(5)):
            case 0 | 1:
                return self.tf.nn.relu(x)
            case 2:
                return self.tf.nn.relu6(x)
            case _:
                return x

    def weights(self, shape: tuple[int, ...]) -> Any:
        spread = 1 / np.sqrt(max(1, int(np.prod(shape[:-1]))))
        scales = self.rng.uniform(0.3, 3, shape[-1])  # so that per-channel scales differ
        values = self.rng.normal(0, spread, shape) * scales
        return self.tf.constant(values.astype(np.float32))
