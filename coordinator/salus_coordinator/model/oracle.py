"""The genuine TFLM interpreter on this host: what a wearable computes, bit for bit, and how much memory it
takes.
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from salus_coordinator.errors import MissingTool, ModelError

# What TFLM and ESP-NN both compute bit-exactly; ESP-NN's bugs elsewhere are in docs/decisions.md.
OPERATORS: Final = (
    "AVERAGE_POOL_2D",
    "CONCATENATION",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "FULLY_CONNECTED",
    "MEAN",
    "RESHAPE",
)
ARENA_STEP_BYTES: Final = 256


def operators(model: bytes) -> list[str]:
    """The operators of a .tflite in order of use.

    Raises ModelError `unsupported_operator` naming one TFLM lacks here.
    """
    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
    parsed = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model, 0))
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in parsed.operatorCodes]
    used = [names.get(codes[each.opcodeIndex], "CUSTOM") for graph in parsed.subgraphs for each in graph.operators]
    for name in used:
        if name not in OPERATORS:
            known = ", ".join(OPERATORS)
            raise ModelError("unsupported_operator", f"{name} does not run on the wearable; it has {known}")
    return used


class Oracle:
    """A .tflite in TFLM. Raises MissingTool where there is no wheel, ModelError where TFLM refuses it."""

    def __init__(self, model: bytes, arena_bytes: int | None = None) -> None:
        runtime = _runtime()
        with _stderr() as said:
            try:
                self._interpreter: Any = runtime.Interpreter.from_bytes(model, arena_size=arena_bytes)
            except RuntimeError as error:
                self._interpreter = None
                why = str(error)
        if self._interpreter is None:
            raise ModelError("tflm_refuses", f"TFLM cannot load the model: {why} {said()}".strip())

    def run(self, windows: NDArray[np.int8]) -> NDArray[np.int8]:
        """Quantised windows (n, samples, channels) to outputs (n, F)."""
        outputs = []
        for window in windows:
            self._interpreter.set_input(window[None, None], 0)
            self._interpreter.invoke()
            outputs.append(self._interpreter.get_output(0).reshape(-1).copy())
        return np.stack(outputs)

    def recorded_arena_bytes(self) -> int:
        with _stderr() as said:
            self._interpreter.print_allocations()
        found = re.search(r"Arena allocation total (\d+) bytes", said())
        if not found:
            raise ModelError("no_arena", "TFLM did not say how much arena it used")
        return int(found.group(1))


def arena_bytes(model: bytes) -> int:
    """The smallest arena, in steps of 256 bytes, in which TFLM loads the model on this 64-bit host (32 bits
    take less).
    """
    size = -(-Oracle(model).recorded_arena_bytes() // ARENA_STEP_BYTES) * ARENA_STEP_BYTES
    for _ in range(64):
        try:
            Oracle(model, size)
        except ModelError:
            size += ARENA_STEP_BYTES
        else:
            return size
    raise ModelError("no_arena", f"TFLM does not load the model in {size} bytes")


def _runtime() -> Any:
    try:
        from tflite_micro.python.tflite_micro import runtime
    except ImportError:
        here = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
        raise MissingTool(
            f"tflite-micro is not installed; its wheel is for x86-64 Linux only, this is {here}: "
            "`pip install 'salus[tflm]'` there"
        ) from None
    return runtime


@contextmanager
def _stderr() -> Iterator[Any]:
    """What TFLM's C++ writes to file descriptor 2 meanwhile, as a function to call afterwards."""
    with tempfile.TemporaryFile() as sink:
        kept = os.dup(2)
        os.dup2(sink.fileno(), 2)
        text: list[str] = []
        try:
            yield lambda: text[0] if text else ""
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            sink.seek(0)
            text.append(sink.read().decode(errors="replace").strip())
