"""Dense layers in integers, as TFLM's reference kernel computes FULLY_CONNECTED: what golden outputs are made with.

int8 symmetric weights with one scale per layer, int32 biases, and one rounding of a 31-bit multiplier. The oracle is
the genuine interpreter, on whatever machine has its wheel (tests); LiteRT's default kernels differ in the last bit.
Specification: tensorflow.org/lite/performance/quantization_spec; gemmlowp's fixed point for the multiplier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
LEAST_SCALE: Final = 1e-9  # of a layer whose weights are all zero
INT8_MOST: Final = 127
INT32_MOST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Quantisation:
    """real = (q - zero_point) * scale, int8; `scale` is a float32 value."""

    scale: float
    zero_point: int

    def dequantise(self, q: NDArray[np.int8]) -> Floats:
        return np.asarray((q.astype(np.float64) - self.zero_point) * self.scale, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """One layer: `kernel` int8 (units, inputs), `bias` int32 (units,), and the scales around it."""

    name: str
    kernel: NDArray[np.int8]
    kernel_scale: np.float32
    bias: NDArray[np.int32]
    bias_scale: np.float32
    input: Quantisation
    output: Quantisation
    relu: bool

    @classmethod
    def quantise(
        cls, name: str, kernel: Floats, bias: Floats, input: Quantisation, output: Quantisation, relu: bool, units: int
    ) -> Dense:
        """From float `kernel` (inputs, n) and `bias` (n,); rows of zeros are added up to `units`."""
        # Fine enough for the weights, and coarse enough that no bias is beyond half of an int32.
        for_bias = float(np.abs(bias).max(initial=0.0)) / input.scale / 2**30
        scale = np.float32(max(float(np.abs(kernel).max(initial=0.0)) / INT8_MOST, for_bias, LEAST_SCALE))
        steps = np.clip(np.rint(kernel.astype(np.float64) / float(scale)), -INT8_MOST, INT8_MOST)
        bias_scale = np.float32(np.float32(input.scale) * scale)
        bias_steps = np.clip(np.rint(bias.astype(np.float64) / float(bias_scale)), -INT32_MOST, INT32_MOST)
        padding = units - len(bias)
        return cls(
            name,
            np.ascontiguousarray(np.pad(steps.astype(np.int8).T, ((0, padding), (0, 0)))),
            scale,
            np.pad(bias_steps.astype(np.int32), (0, padding)),
            bias_scale,
            input,
            output,
            relu,
        )

    def run(self, x: NDArray[np.int8]) -> NDArray[np.int8]:
        """int8 (n, inputs) to int8 (n, units), bit for bit as TFLM."""
        centred = x.astype(np.int64) - self.input.zero_point
        sums = _wrap(centred @ self.kernel.astype(np.int64).T + self.bias)
        # As the kernel does: a float32 product of the scales, then double.
        multiplier, shift = quantised_multiplier(float(self.bias_scale) / float(np.float32(self.output.scale)))
        scaled = _scale(sums, multiplier, shift) + self.output.zero_point
        least = max(-128, self.output.zero_point) if self.relu else -128
        return np.asarray(np.clip(scaled, least, INT8_MOST), np.int8)


def run(layers: Sequence[Dense], x: NDArray[np.int8]) -> NDArray[np.int8]:
    """int8 features (n, F) through all layers."""
    for layer in layers:
        x = layer.run(x)
    return x


def quantised_multiplier(real: float) -> tuple[int, int]:
    """(31-bit fraction, power of two) nearest to a positive real, as TFLite's QuantizeMultiplier."""
    fraction, exponent = math.frexp(real)
    fixed = math.floor(fraction * 2**31 + 0.5)
    if fixed == 2**31:
        fixed, exponent = fixed // 2, exponent + 1
    return (0, 0) if exponent < -31 else (fixed, exponent)


def _scale(x: NDArray[np.int64], multiplier: int, shift: int) -> NDArray[np.int64]:
    """x · multiplier · 2^(shift - 31) with gemmlowp's two roundings, as MultiplyByQuantizedMultiplier."""
    left, right = max(shift, 0), max(-shift, 0)
    product = _wrap(x << left) * multiplier
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = _towards_zero(product + nudge, 1 << 31)
    mask = (1 << right) - 1
    threshold = (mask >> 1) + (high < 0)
    return np.asarray((high >> right) + ((high & mask) > threshold), np.int64)


def _towards_zero(x: NDArray[np.int64], by: int) -> NDArray[np.int64]:
    return np.asarray(np.sign(x) * (np.abs(x) // by), np.int64)


def _wrap(x: NDArray[np.int64]) -> NDArray[np.int64]:
    """As an int32 accumulator holds it."""
    return np.asarray(x.astype(np.int32), np.int64)
