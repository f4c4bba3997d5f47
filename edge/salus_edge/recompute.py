"""Features from retained windows with another int8 base: what the wearable would have sent had it run that
base.

TFLM where it has a wheel, which gives the wearable's bits; else LiteRT's reference kernels, whose last bit
may differ, which does no harm in training data.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from salus_chain.proto import release_pb2
from salus_edge.errors import ProgramError
from salus_edge.runtime import interpreter

Floats = NDArray[np.float32]
Int8s = NDArray[np.int8]


class Engine(Protocol):
    """Runs one int8 base."""

    def run(self, window: Int8s) -> Int8s:
        """Features (F,) of a quantised window (samples, channels)."""


class TflmEngine:
    """The genuine TFLM interpreter. Raises ImportError where it has no wheel, RuntimeError when it refuses
    the model.
    """

    def __init__(self, model: bytes) -> None:
        from tflite_micro.python.tflite_micro import runtime

        self._interpreter: Any = runtime.Interpreter.from_bytes(model)

    def run(self, window: Int8s) -> Int8s:
        self._interpreter.set_input(window[None, None], 0)
        self._interpreter.invoke()
        return np.array(self._interpreter.get_output(0), np.int8).reshape(-1)


class LiteEngine:
    """LiteRT. Raises ProgramError when it does not read the model."""

    def __init__(self, model: bytes) -> None:
        self._interpreter = interpreter(model, reference_kernels=True)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = int(self._interpreter.get_output_details()[0]["index"])

    def run(self, window: Int8s) -> Int8s:
        self._interpreter.set_tensor(int(self._input["index"]), window.reshape(self._input["shape"]))
        self._interpreter.invoke()
        return np.array(self._interpreter.get_tensor(self._output), np.int8).reshape(-1)


def engine(model: bytes) -> Engine:
    """The best engine on this machine."""
    try:
        return TflmEngine(model)
    except (ImportError, RuntimeError):
        return LiteEngine(model)


def quantise(windows: Floats, scale: float, zero_point: int) -> Int8s:
    """float32 to int8 as the wearable does it: round half to even, then saturate."""
    steps = np.rint(windows.astype(np.float64) / scale) + zero_point
    return np.asarray(np.clip(steps, -128, 127), np.int8)


def recompute(model: bytes, manifest: bytes, windows: Floats) -> Int8s:
    """Features int8 (n, F) of front-end windows float32 (n, samples, channels). Raises ProgramError on
    another shape.
    """
    described = release_pb2.Manifest.FromString(manifest)
    shape = tuple(described.input.shape)
    if windows.shape[1:] != shape:
        raise ProgramError(f"windows of shape {windows.shape[1:]} where the release takes {shape}")
    runs = engine(model)
    quantised = quantise(windows, described.input.scale, described.input.zero_point)
    return np.stack([runs.run(window) for window in quantised])
