"""Constants of a .tflite and how they were quantised, read with whichever LiteRT runtime is installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_chain.errors import ConfigError, Rejected

RUNTIMES: Final = (
    "ai_edge_litert.interpreter",
    "tflite_runtime.interpreter",
)  # the second on 32-bit machines


@dataclass(frozen=True, slots=True)
class Constant:
    """A quantised tensor: real = scale · (stored − zero point), one scale, or one each along `axis`."""

    name: str
    stored: NDArray[np.integer]
    scales: NDArray[np.float32]
    zero_points: NDArray[np.integer]
    axis: int


def read_constants(model: bytes, names: frozenset[str]) -> Mapping[str, Constant]:
    """Those tensors of the model, by name.

    Raises Rejected `bad_model` when it cannot be read or lacks one.
    """
    try:
        interpreter = _runtime().Interpreter(model_content=model, num_threads=1)
        details = [detail for detail in interpreter.get_tensor_details() if detail["name"] in names]
        constants = {detail["name"]: _constant(detail, interpreter) for detail in details}
    except (ValueError, RuntimeError) as error:
        raise Rejected("bad_model", f"the .tflite cannot be read: {error}") from None
    if len(constants) != len(details):
        raise Rejected("bad_model", "the .tflite has two tensors of one name")
    missing = sorted(names - set(constants))
    if missing:
        raise Rejected("bad_model", f"the .tflite has no constant tensor {missing[0]!r}")
    return constants


def _constant(detail: Mapping[str, object], interpreter: object) -> Constant:
    quantisation = detail["quantization_parameters"]
    assert isinstance(quantisation, dict)
    return Constant(
        str(detail["name"]),
        np.array(interpreter.get_tensor(detail["index"])),  # type: ignore[attr-defined]
        np.asarray(quantisation["scales"], np.float32),
        np.asarray(quantisation["zero_points"]),
        int(quantisation["quantized_dimension"]),
    )


def _runtime() -> ModuleType:
    for name in RUNTIMES:
        try:
            return import_module(name)
        except ModuleNotFoundError:
            continue
    raise ConfigError(f"no LiteRT runtime is installed to check a release with; pip install one of {RUNTIMES}")
