"""The import seam for the TFLite interpreter: LiteRT, or its predecessor where only that has a wheel."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from salus_edge.errors import ProgramError

MODULES: Final = ("ai_edge_litert.interpreter", "tflite_runtime.interpreter")

Runner = Callable[..., dict[str, Any]]  # one signature: named arrays in, named arrays out


def interpreter(model: bytes, *, reference_kernels: bool = False) -> Any:
    """An interpreter of a .tflite on one thread. `reference_kernels` asks for those nearest to the
    wearable's.

    Raises ProgramError: no runtime is installed, or the bytes are not a model that it reads.
    """
    module = _module()
    options: dict[str, object] = {"model_content": model, "num_threads": 1}
    if reference_kernels and hasattr(module, "OpResolverType"):
        options["experimental_op_resolver_type"] = module.OpResolverType.BUILTIN_REF
    try:
        return module.Interpreter(**options)
    except (ValueError, RuntimeError) as error:
        raise ProgramError(f"not a .tflite that {module.__name__} reads: {error}") from None


def _module() -> Any:
    for name in MODULES:
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ProgramError("no TFLite runtime: install ai-edge-litert (or, on 32-bit systems, tflite-runtime)")
