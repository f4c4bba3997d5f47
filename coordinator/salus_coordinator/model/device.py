"""The int8 base as a .tflite, written without a converter.

Every number in it follows from the float weights and the activation ranges: symmetric per-channel int8
kernels, int32 biases, activations that start at 0. So requantising takes milliseconds, the tensors carry the
layout's names, and a validator can recompute any of them. Specification:
tensorflow.org/lite/performance/quantization_spec.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from salus_coordinator.model.layers import Row

Floats = NDArray[np.float32]
VERSIONS: Final = {schema.BuiltinOperator.CONV_2D: 3, schema.BuiltinOperator.FULLY_CONNECTED: 4}  # int8
ALIGNMENT: Final = 16  # of every buffer: a misaligned int32 bias is a fault on Xtensa

Builder = Any  # the schema's classes have no types


@dataclass(frozen=True, slots=True)
class Scale:
    """real = (q - zero_point) * scale, int8."""

    scale: float
    zero_point: int

    def quantise(self, values: Floats) -> NDArray[np.int8]:
        q = np.rint(values.astype(np.float64) / self.scale) + self.zero_point
        return np.asarray(np.clip(q, -128, 127), np.int8)

    def dequantise(self, q: NDArray[np.int8]) -> Floats:
        return ((q.astype(np.float64) - self.zero_point) * self.scale).astype(np.float32)


def write_base(
    table: Sequence[Row],
    weights: Mapping[str, Floats],
    scales: Sequence[Scale],
    input_shape: tuple[int, int],
    name: str,
) -> bytes:
    """The .tflite of the base rows; `scales[0]` is the input's, then one per row (equal around a pool)."""
    graph = Graph()
    here = graph.tensor("window", [1, 1, *input_shape], schema.TensorType.INT8, scales[0])
    first = here
    for row, before, after in zip(table, scales, scales[1:], strict=False):
        here = graph.conv(row, weights, here, before, after) if row.kernel else graph.pool(row, here, after)
    flat = [1, table[-1].length_out * table[-1].channels_out]
    last = graph.reshape(here, flat, scales[len(table)])
    return graph.finish(first, last, name)


def kernel_scales(kernel: Floats) -> NDArray[np.float32]:
    """Symmetric int8 scale per output channel (the last axis)."""
    largest = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
    return np.asarray(np.maximum(largest / 127.0, 1e-9), np.float32)


class Graph:
    """One subgraph being written: tensors, operators and buffers in order."""

    def __init__(self) -> None:
        self.buffers: list[Any] = [_buffer(b"")]
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self.codes: list[int] = []

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        kind: int,
        scale: Scale | tuple[NDArray[np.float32], int] | None,
        data: bytes = b"",
    ) -> int:
        made = schema.TensorT()
        made.name, made.shape, made.type = name.encode(), np.asarray(shape, np.int32), kind
        made.quantization = _quantisation(scale) if scale is not None else None
        made.buffer = 0
        if data:
            made.buffer = len(self.buffers)
            self.buffers.append(_buffer(data))
        self.tensors.append(made)
        return len(self.tensors) - 1

    def operator(self, code: int, kind: int, options: Any, inputs: Sequence[int], output: int) -> int:
        if code not in self.codes:
            self.codes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = self.codes.index(code)
        made.inputs, made.outputs = np.asarray(inputs, np.int32), np.asarray([output], np.int32)
        made.builtinOptionsType, made.builtinOptions = kind, options
        self.operators.append(made)
        return output

    def conv(self, row: Row, weights: Mapping[str, Floats], source: int, before: Scale, after: Scale) -> int:
        kernel, bias = weights[f"{row.name}/kernel"], weights[f"{row.name}/bias"]
        scale = kernel_scales(kernel)
        q = np.clip(np.rint(kernel / scale), -127, 127).astype(np.int8)
        taps, channels, filters = row.kernel
        q_bytes = np.ascontiguousarray(np.moveaxis(q, -1, 0)).tobytes()
        bias_scale = (scale.astype(np.float64) * before.scale).astype(np.float32)
        q_bias = np.clip(np.rint(bias / bias_scale.astype(np.float64)), -(2**31), 2**31 - 1).astype("<i4")
        options = schema.Conv2DOptionsT()
        options.padding, options.strideH, options.strideW = schema.Padding.VALID, 1, row.layer.stride
        options.fusedActivationFunction = schema.ActivationFunctionType.RELU6
        inputs = [
            source,
            self.tensor(
                f"{row.name}/kernel",
                [filters, 1, taps, channels],
                schema.TensorType.INT8,
                (scale, 0),
                q_bytes,
            ),
            self.tensor(f"{row.name}/bias", [filters], schema.TensorType.INT32, (bias_scale, 0), q_bias.tobytes()),
        ]
        output = self.tensor(f"{row.name}/out", [1, 1, row.length_out, filters], schema.TensorType.INT8, after)
        return self.operator(
            schema.BuiltinOperator.CONV_2D, schema.BuiltinOptions.Conv2DOptions, options, inputs, output
        )

    def pool(self, row: Row, source: int, after: Scale) -> int:
        options = schema.Pool2DOptionsT()
        width = row.length_in // row.length_out
        options.padding, options.strideH, options.strideW = schema.Padding.VALID, 1, width
        options.filterHeight, options.filterWidth = 1, width
        output = self.tensor(f"{row.name}/out", [1, 1, row.length_out, row.channels_out], schema.TensorType.INT8, after)
        kind = schema.BuiltinOptions.Pool2DOptions
        return self.operator(schema.BuiltinOperator.AVERAGE_POOL_2D, kind, options, [source], output)

    def dense(self, name: str, source: int, inputs: int, units: int, before: Scale, after: Scale, relu: bool) -> int:
        """A dense layer whose weights and biases are still 0, and its weights' scale 1."""
        options = schema.FullyConnectedOptionsT()
        kinds = schema.ActivationFunctionType
        options.fusedActivationFunction = kinds.RELU if relu else kinds.NONE
        one, bias = np.ones(1, np.float32), np.full(1, before.scale, np.float32)
        kernel = bytes(units * inputs)
        sources = [
            source,
            self.tensor(f"{name}/kernel", [units, inputs], schema.TensorType.INT8, (one, 0), kernel),
            self.tensor(f"{name}/bias", [units], schema.TensorType.INT32, (bias, 0), bytes(4 * units)),
        ]
        output = self.tensor(f"{name}/out", [1, units], schema.TensorType.INT8, after)
        kind = schema.BuiltinOptions.FullyConnectedOptions
        return self.operator(schema.BuiltinOperator.FULLY_CONNECTED, kind, options, sources, output)

    def reshape(self, source: int, shape: Sequence[int], scale: Scale) -> int:
        options = schema.ReshapeOptionsT()
        options.newShape = np.asarray(shape, np.int32)
        fixed = self.tensor("shape", [len(shape)], schema.TensorType.INT32, None, np.asarray(shape, "<i4").tobytes())
        output = self.tensor("feature", shape, schema.TensorType.INT8, scale)
        kind = schema.BuiltinOptions.ReshapeOptions
        return self.operator(schema.BuiltinOperator.RESHAPE, kind, options, [source, fixed], output)

    def finish(self, first: int, last: int, name: str, graph_name: str = "base") -> bytes:
        model, graph = schema.ModelT(), schema.SubGraphT()
        graph.tensors, graph.operators, graph.name = self.tensors, self.operators, graph_name.encode()
        graph.inputs, graph.outputs = np.asarray([first], np.int32), np.asarray([last], np.int32)
        model.version, model.description = 3, name.encode()
        model.subgraphs, model.buffers = [graph], self.buffers
        model.operatorCodes = [_code(code) for code in self.codes]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _code(code: int) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode = made.deprecatedBuiltinCode = code
    made.version = VERSIONS.get(code, 1)
    return made


def _quantisation(scale: Scale | tuple[NDArray[np.float32], int]) -> Any:
    made = schema.QuantizationParametersT()
    values, zero = ([scale.scale], scale.zero_point) if isinstance(scale, Scale) else scale
    made.scale = np.asarray(values, np.float32)
    made.zeroPoint = np.full(len(made.scale), zero, np.int64)
    made.quantizedDimension = 0
    return made


def _buffer(data: bytes) -> Any:
    made = schema.BufferT()

    def pack(builder: Builder) -> int:
        if data:
            builder.StartVector(1, len(data), ALIGNMENT)
            builder.head = builder.head - len(data)
            builder.Bytes[builder.head : builder.head + len(data)] = data
            vector = builder.EndVector()
        schema.BufferStart(builder)
        if data:
            schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))

    made.Pack = pack
    return made
