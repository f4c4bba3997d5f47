"""Models of one node or a few, written straight into the schema: quantisations that no converter would choose.

TensorFlow's converter calibrates, so that its multipliers are mild; here the scales are drawn over several orders of
magnitude, and EXPAND_DIMS and QUANTIZE, which the converter folds away, get their turn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray


@dataclass
class Tensor:
    """A tensor of the model; `data` makes it a constant. `scales` are several for per-channel weights."""

    shape: tuple[int, ...]
    scales: tuple[float, ...] = ()
    zero_point: int = 0
    dimension: int = 0
    data: NDArray[Any] | None = None


@dataclass
class Node:
    """One operator. A tensor that two nodes share is the same object in both."""

    operator: str
    options: Any
    tensors: list[Tensor]
    """The output last."""


def model_of(*nodes: Node) -> bytes:
    """The .tflite with these nodes; the first one's first tensor is the input, the last one's last the output."""
    model = schema.ModelT()
    model.version = 3
    model.buffers = [schema.BufferT()]
    names = sorted({node.operator for node in nodes})
    model.operatorCodes = [_code(name) for name in names]
    tensors: list[Tensor] = []
    for node in nodes:
        tensors += [each for each in node.tensors if not any(each is known for known in tensors)]
    places = {id(tensor): place for place, tensor in enumerate(tensors)}
    graph = schema.SubGraphT()
    graph.tensors = [_tensor(model, each) for each in tensors]
    graph.inputs, graph.outputs = [places[id(nodes[0].tensors[0])]], [places[id(nodes[-1].tensors[-1])]]
    graph.operators = [_operator(node, names.index(node.operator), places) for node in nodes]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _code(name: str) -> Any:
    code = schema.OperatorCodeT()
    code.builtinCode = getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = 1
    return code


def _operator(node: Node, code: int, places: dict[int, int]) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = code
    *inputs, output = [places[id(tensor)] for tensor in node.tensors]
    made.inputs, made.outputs = inputs, [output]
    if node.options is not None:
        made.builtinOptions = node.options
        made.builtinOptionsType = getattr(schema.BuiltinOptions, type(node.options).__name__.removesuffix("T"))
    return made


def _tensor(model: Any, tensor: Tensor) -> Any:
    made = schema.TensorT()
    made.name = b"t"
    made.shape = list(tensor.shape)
    wide = tensor.data is not None and tensor.data.dtype == np.int32
    made.type = schema.TensorType.INT32 if wide else schema.TensorType.INT8
    made.buffer = 0
    if tensor.data is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(tensor.data.tobytes(), np.uint8)
        model.buffers.append(buffer)
        made.buffer = len(model.buffers) - 1
    if tensor.scales:
        quantisation = schema.QuantizationParametersT()
        quantisation.scale = list(tensor.scales)
        quantisation.zeroPoint = [tensor.zero_point] * len(tensor.scales)
        quantisation.quantizedDimension = tensor.dimension
        made.quantization = quantisation
    return made


def random_node(operator: str, seed: int) -> Node:
    """A node of this operator with random shapes, options, scales and constants."""
    return _DRAW[operator](np.random.default_rng(seed))


def random_chain(seed: int) -> list[Node]:
    """A residual convolution, a pool and a dense layer: tensors that live beside each other and after each other."""
    rng = np.random.default_rng(seed)
    first = _convolution(rng)
    x = first.tensors[-1]
    options = schema.DepthwiseConv2DOptionsT()
    options.strideH = options.strideW = options.depthMultiplier = 1
    y = _activation(rng, x.shape)
    weights = _weights(rng, (1, 1, 3, x.shape[3]), 3, y, x)
    beside = Node("DEPTHWISE_CONV_2D", options, [x, weights, *_bias(rng, x.shape[3], weights, x), y])
    both = Node("ADD", schema.AddOptionsT(), [x, y, Tensor(x.shape, (2 * max(x.scales[0], y.scales[0]),))])
    pool = _pool_of(rng, "MAX_POOL_2D", both.tensors[-1])
    pooled = pool.tensors[-1]
    flat = Tensor((x.shape[0], int(np.prod(pooled.shape[1:]))), pooled.scales, pooled.zero_point)
    flatten = Node(
        "RESHAPE", schema.ReshapeOptionsT(), [pooled, Tensor((2,), data=np.array(flat.shape, np.int32)), flat]
    )
    logits = _activation(rng, (x.shape[0], 5))
    units = _weights(rng, (5, flat.shape[1]), 0, logits, flat)
    dense = Node("FULLY_CONNECTED", schema.FullyConnectedOptionsT(), [flat, units, *_bias(rng, 5, units, flat), logits])
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    return [
        first,
        beside,
        both,
        pool,
        flatten,
        dense,
        Node("SOFTMAX", softmax, [logits, Tensor(logits.shape, (1 / 256,), -128)]),
    ]


def _scale(rng: np.random.Generator, low: float = -8, high: float = 0) -> float:
    return float(np.float32(2 ** rng.uniform(low, high)))


def _zero_point(rng: np.random.Generator) -> int:
    return int(rng.choice([-128, 127, 0, int(rng.integers(-128, 128))]))


def _activation(rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    return Tensor(shape, (_scale(rng),), _zero_point(rng))


def _fused(rng: np.random.Generator) -> int:
    return int(rng.integers(0, 4))  # NONE, RELU, RELU_N1_TO_1, RELU6


def _image(rng: np.random.Generator) -> tuple[int, int, int, int]:
    if rng.integers(2):
        return (1, 1, int(rng.integers(3, 40)), int(rng.integers(1, 14)))
    return (int(rng.integers(1, 3)), int(rng.integers(3, 12)), int(rng.integers(3, 12)), int(rng.integers(1, 9)))


def _weights(
    rng: np.random.Generator, shape: tuple[int, ...], dimension: int, output: Tensor, source: Tensor
) -> Tensor:
    """Weights whose scales make multipliers from 2^-12 to 2^2, so that right and left shifts both happen."""
    count = shape[dimension] if rng.integers(4) else 1
    wanted = 2 ** rng.uniform(-12, -3 if rng.integers(3) else 2, count)
    scales = tuple(float(np.float32(each * output.scales[0] / source.scales[0])) for each in wanted)
    data = rng.integers(-127, 128, shape, np.int8)
    return Tensor(shape, scales, 0, dimension, data)


def _bias(rng: np.random.Generator, count: int, weights: Tensor, source: Tensor) -> list[Tensor]:
    if rng.integers(5) == 0:
        return []
    spread = 2 ** int(rng.integers(4, 20))
    data = rng.integers(-spread, spread, count, np.int32)
    scales = tuple(float(np.float32(source.scales[0] * each)) for each in weights.scales)
    return [Tensor((count,), scales, 0, 0, data)]


def _window(rng: np.random.Generator, options: Any, sizes: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """Set padding and strides; the kernel and the output's size."""
    kernel = [int(rng.integers(1, min(size, 6) + 1)) for size in sizes]
    stride = [int(rng.integers(1, 4)) for _ in sizes]
    options.padding = int(rng.integers(2))
    options.strideH, options.strideW = stride
    return kernel, stride


def _sizes(options: Any, sizes: tuple[int, ...], reach: list[int], stride: list[int]) -> list[int]:
    same = options.padding == schema.Padding.SAME
    spans = [size if same else size - wide + 1 for size, wide in zip(sizes, reach, strict=True)]
    return [-(-span // step) for span, step in zip(spans, stride, strict=True)]


def _dilate(rng: np.random.Generator, options: Any, sizes: tuple[int, ...], kernel: list[int]) -> list[int]:
    dilation = [2 if rng.integers(4) == 0 and 2 * (k - 1) < size else 1 for k, size in zip(kernel, sizes, strict=True)]
    options.dilationHFactor, options.dilationWFactor = dilation
    return [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]


def _convolution(rng: np.random.Generator) -> Node:
    options = schema.Conv2DOptionsT()
    source = _activation(rng, _image(rng))
    kernel, stride = _window(rng, options, source.shape[1:3])
    size = _sizes(options, source.shape[1:3], _dilate(rng, options, source.shape[1:3], kernel), stride)
    options.fusedActivationFunction = _fused(rng)
    filters = int(rng.integers(1, 12))
    output = _activation(rng, (source.shape[0], *size, filters))
    weights = _weights(rng, (filters, *kernel, source.shape[3]), 0, output, source)
    return Node("CONV_2D", options, [source, weights, *_bias(rng, filters, weights, source), output])


def _depthwise(rng: np.random.Generator) -> Node:
    options = schema.DepthwiseConv2DOptionsT()
    source = _activation(rng, _image(rng))
    kernel, stride = _window(rng, options, source.shape[1:3])
    size = _sizes(options, source.shape[1:3], _dilate(rng, options, source.shape[1:3], kernel), stride)
    options.fusedActivationFunction = _fused(rng)
    options.depthMultiplier = int(rng.choice([1, 1, 2, 3]))
    filters = source.shape[3] * options.depthMultiplier
    output = _activation(rng, (source.shape[0], *size, filters))
    weights = _weights(rng, (1, *kernel, filters), 3, output, source)
    return Node("DEPTHWISE_CONV_2D", options, [source, weights, *_bias(rng, filters, weights, source), output])


def _fully_connected(rng: np.random.Generator) -> Node:
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = _fused(rng)
    batches, length, units = int(rng.integers(1, 4)), int(rng.integers(1, 70)), int(rng.integers(1, 12))
    source, output = _activation(rng, (batches, length)), _activation(rng, (batches, units))
    weights = _weights(rng, (units, length), 0, output, source)
    return Node("FULLY_CONNECTED", options, [source, weights, *_bias(rng, units, weights, source), output])


def _pool_of(rng: np.random.Generator, operator: str, source: Tensor) -> Node:
    options = schema.Pool2DOptionsT()
    kernel, stride = _window(rng, options, source.shape[1:3])
    options.filterHeight, options.filterWidth = kernel
    options.fusedActivationFunction = _fused(rng)
    size = _sizes(options, source.shape[1:3], kernel, stride)
    output = Tensor((source.shape[0], *size, source.shape[3]), source.scales, source.zero_point)
    return Node(operator, options, [source, output])


def _pool(operator: str) -> Callable[[np.random.Generator], Node]:
    return lambda rng: _pool_of(rng, operator, _activation(rng, _image(rng)))


def _mean(rng: np.random.Generator) -> Node:
    options = schema.ReducerOptionsT()
    rank = int(rng.integers(2, 5))
    shape = tuple(int(size) for size in rng.integers(1, 9, rank))
    axes = rng.choice(rank, int(rng.integers(1, rank + 1)), replace=False)
    options.keepDims = bool(rng.integers(2))
    kept = [1 if i in axes else size for i, size in enumerate(shape) if options.keepDims or i not in axes]
    signed = np.array([axis - rank if rng.integers(2) else axis for axis in axes], np.int32)
    return Node(
        "MEAN", options, [_activation(rng, shape), Tensor((len(axes),), data=signed), _activation(rng, (*kept,))]
    )


def _elementwise(operator: str, options_type: Any) -> Callable[[np.random.Generator], Node]:
    def draw(rng: np.random.Generator) -> Node:
        options = options_type()
        options.fusedActivationFunction = _fused(rng)
        shape = tuple(int(size) for size in rng.integers(1, 7, int(rng.integers(1, 5))))
        other = tuple(1 if rng.integers(3) == 0 else size for size in shape)[int(rng.integers(2)) :]
        constant = _activation(rng, other)
        constant.data = rng.integers(-128, 128, other, np.int8)
        return Node(operator, options, [_activation(rng, shape), constant, _activation(rng, shape)])

    return draw


def _concatenation(rng: np.random.Generator) -> Node:
    options = schema.ConcatenationOptionsT()
    shape = [int(size) for size in rng.integers(1, 7, int(rng.integers(1, 5)))]
    axis = int(rng.integers(len(shape)))
    options.axis = axis - len(shape) if rng.integers(2) else axis
    source = _activation(rng, (*shape,))
    other = [*shape]
    other[axis] = int(rng.integers(1, 7))
    constant = Tensor((*other,), source.scales, source.zero_point, data=rng.integers(-128, 128, other, np.int8))
    shape[axis] += other[axis]
    return Node("CONCATENATION", options, [source, constant, Tensor((*shape,), source.scales, source.zero_point)])


def _pad(rng: np.random.Generator) -> Node:
    shape = tuple(int(size) for size in rng.integers(1, 7, int(rng.integers(1, 5))))
    around = rng.integers(0, 4, (len(shape), 2)).astype(np.int32)
    source = _activation(rng, shape)
    padded = tuple(int(size) for size in np.array(shape) + around.sum(1))
    tensors = [source, Tensor(around.shape, data=around), Tensor(padded, source.scales, source.zero_point)]
    return Node("PAD", schema.PadOptionsT(), tensors)


def _softmax(rng: np.random.Generator) -> Node:
    options = schema.SoftmaxOptionsT()
    options.beta = float(rng.choice([1.0, 1.0, 0.5, 2.0]))
    shape = (int(rng.integers(1, 4)), int(rng.integers(1, 40)))
    return Node("SOFTMAX", options, [_activation(rng, shape), Tensor(shape, (1 / 256,), -128)])


def _logistic(rng: np.random.Generator) -> Node:
    shape = (1, int(rng.integers(1, 200)))
    return Node("LOGISTIC", None, [_activation(rng, shape), Tensor(shape, (1 / 256,), -128)])


def _alone(operator: str, options_type: Any = None) -> Callable[[np.random.Generator], Node]:
    def draw(rng: np.random.Generator) -> Node:
        shape = (1, int(rng.integers(1, 200)))
        return Node(operator, options_type and options_type(), [_activation(rng, shape), _activation(rng, shape)])

    return draw


def _relu6(rng: np.random.Generator) -> Node:
    source = _activation(rng, (1, int(rng.integers(1, 200))))
    return Node("RELU6", None, [source, Tensor(source.shape, source.scales, source.zero_point)])


def _expand_dims(rng: np.random.Generator) -> Node:
    shape = [int(size) for size in rng.integers(1, 7, int(rng.integers(1, 4)))]
    axis = int(rng.integers(len(shape) + 1))
    given = axis - len(shape) - 1 if rng.integers(2) else axis
    source = _activation(rng, (*shape,))
    expanded = (*shape[:axis], 1, *shape[axis:])
    constant = Tensor((1,), data=np.array([given], np.int32))
    return Node(
        "EXPAND_DIMS",
        schema.ExpandDimsOptionsT(),
        [source, constant, Tensor(expanded, source.scales, source.zero_point)],
    )


def _reshape(rng: np.random.Generator) -> Node:
    options = schema.ReshapeOptionsT()
    sizes = [int(size) for size in rng.integers(1, 5, 3)]
    options.newShape = [sizes[0] * sizes[1], sizes[2]]
    source = _activation(rng, (*sizes,))
    constant = Tensor((2,), data=np.array(options.newShape, np.int32))
    return Node("RESHAPE", options, [source, constant, Tensor((*options.newShape,), source.scales, source.zero_point)])


_DRAW: Final[dict[str, Callable[[np.random.Generator], Node]]] = {
    "ADD": _elementwise("ADD", schema.AddOptionsT),
    "AVERAGE_POOL_2D": _pool("AVERAGE_POOL_2D"),
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "EXPAND_DIMS": _expand_dims,
    "FULLY_CONNECTED": _fully_connected,
    "LOGISTIC": _logistic,
    "MAX_POOL_2D": _pool("MAX_POOL_2D"),
    "MEAN": _mean,
    "MUL": _elementwise("MUL", schema.MulOptionsT),
    "PAD": _pad,
    "QUANTIZE": _alone("QUANTIZE", schema.QuantizeOptionsT),
    "RELU": _alone("RELU"),
    "RELU6": _relu6,
    "RESHAPE": _reshape,
    "SOFTMAX": _softmax,
}
