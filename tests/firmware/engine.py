"""The portable engine on this host, built from source with UBSan, and TFLM beside it."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

REPOSITORY: Final = Path(__file__).resolve().parents[2]
LIBRARY: Final = REPOSITORY / "firmware" / "lib"
STATUS: Final = ("ok", "malformed", "unsupported", "arena_too_small", "wrong_size", "not_loaded")
ARENA_BYTES: Final = 1 << 20
FLAGS: Final = ("-std=c++17", "-O1", "-fPIC", "-shared", "-fsanitize=undefined", "-fno-sanitize-recover=all")


def build() -> Path:
    """The engine as a shared library; built once for each state of its sources."""
    sources = sorted([*LIBRARY.glob("engine/*.cpp"), *LIBRARY.glob("engine/portable/*.cpp")])
    sources.append(Path(__file__).with_name("engine_shim.cpp"))
    headers = sorted([*LIBRARY.glob("engine/**/*.h"), *LIBRARY.glob("base/*.h")])
    state = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources + headers)).hexdigest()[:16]
    built = Path(tempfile.gettempdir()) / f"salus-engine-{state}.so"
    if not built.exists():
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "engine.so"
            subprocess.run(["g++", *FLAGS, f"-I{LIBRARY}", *map(str, sources), "-o", str(made)], check=True)
            moved = built.with_suffix(f".{Path(folder).name}")
            moved.write_bytes(made.read_bytes())
            moved.replace(built)
    return built


class PortableEngine:
    """One model in the portable engine; `status` is why it did not load."""

    def __init__(self, library: Path, model: bytes, arena_bytes: int = ARENA_BYTES) -> None:
        self._library = ctypes.CDLL(str(library))
        self._library.engine_new.restype = ctypes.c_void_p
        self._library.engine_arena_used.restype = ctypes.c_size_t
        self._library.engine_output_bytes.restype = ctypes.c_size_t
        self._library.engine_input_bytes.restype = ctypes.c_size_t
        status = ctypes.c_int()
        self._handle = ctypes.c_void_p(
            self._library.engine_new(model, _size(len(model)), _size(arena_bytes), ctypes.byref(status))
        )
        self.status = STATUS[status.value]

    def __del__(self) -> None:
        self._library.engine_delete(self._handle)

    def arena_used_bytes(self) -> int:
        return int(self._library.engine_arena_used(self._handle))

    def run(self, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
        """Inputs (n, …) to outputs (n, values)."""
        flat = np.ascontiguousarray(inputs.reshape(len(inputs), -1))
        outputs = np.zeros((len(flat), self._library.engine_output_bytes(self._handle)), np.int8)
        status = self._library.engine_run(
            self._handle,
            flat.ctypes.data_as(ctypes.c_void_p),
            _size(flat.shape[1]),
            outputs.ctypes.data_as(ctypes.c_void_p),
            _size(outputs.shape[1]),
            _size(len(flat)),
        )
        assert status == 0, STATUS[status]
        return outputs

    def run_any(self) -> None:
        """One inference on zeros of whatever size the model takes."""
        size = self._library.engine_input_bytes(self._handle)
        self.run(np.zeros((1, size), np.int8))


class Tflm:
    """The same model in the genuine interpreter, whatever the input's shape. Raises RuntimeError when it refuses."""

    def __init__(self, model: bytes) -> None:
        from tflite_micro.python.tflite_micro import runtime

        self._interpreter: Any = runtime.Interpreter.from_bytes(model, arena_size=ARENA_BYTES)

    def run(self, inputs: NDArray[np.int8]) -> NDArray[np.int8]:
        outputs = []
        for each in inputs:
            self._interpreter.set_input(each, 0)
            self._interpreter.invoke()
            outputs.append(self._interpreter.get_output(0).reshape(-1).copy())
        return np.stack(outputs)


def _size(value: int) -> ctypes.c_size_t:
    return ctypes.c_size_t(value)
