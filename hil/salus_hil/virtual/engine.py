"""Whatever runs the device model: the genuine TFLM, or a deterministic stand-in for tests of everything around it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from salus_coordinator.errors import MissingTool, ModelError
from salus_edge.errors import Refused
from salus_hil.errors import MissingEngine

if TYPE_CHECKING:
    from salus_coordinator.model.oracle import Oracle


class Engine(Protocol):
    """One loaded model."""

    def run(self, windows: NDArray[np.int8]) -> NDArray[np.int8]:
        """Quantised windows (n, samples, channels) to features (n, F)."""


Load = Callable[[bytes, int], Engine]
"""(model, arena bytes) to an engine; raises Refused `bad_model` when the model does not load in that arena."""


def load_tflm(model: bytes, arena_bytes: int) -> Engine:
    """The genuine interpreter in an arena of so many bytes. Raises MissingEngine, Refused `bad_model`."""
    from salus_coordinator.model.oracle import Oracle

    try:
        return Tflm(Oracle(model, arena_bytes))
    except MissingTool as error:
        raise MissingEngine(str(error)) from None
    except ModelError as error:
        raise Refused("bad_model", f"{error.reason} (arena {arena_bytes} bytes)") from None
    except Exception as error:  # the wheel parses in Python first, and a damaged .tflite raises anything there
        raise Refused("bad_model", f"not a .tflite: {error!r}") from None


class Tflm:
    """TFLM with one model. What it cannot run is the model's fault, which must not stop the wearable."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle

    def run(self, windows: NDArray[np.int8]) -> NDArray[np.int8]:
        """Raises Refused `bad_model`: the model takes another input, or an operator fails."""
        try:
            return self._oracle.run(windows)
        except (RuntimeError, ValueError) as error:
            raise Refused("bad_model", f"does not run on windows {windows.shape[1:]}: {error}") from None


class FakeEngine:
    """Features that depend on model and window alone; any bytes that start with `fake` load."""

    WIDTH = 8

    def __init__(self, model: bytes, arena_bytes: int) -> None:
        if not model.startswith(b"fake"):
            raise Refused("bad_model", "the fake engine loads models that start with `fake`")
        self._model = model

    def run(self, windows: NDArray[np.int8]) -> NDArray[np.int8]:
        digests = [sha256(self._model + window.tobytes()).digest()[: self.WIDTH] for window in windows]
        return np.frombuffer(b"".join(digests), np.int8).reshape(len(windows), self.WIDTH)


def tflm_available() -> bool:
    """Whether this machine has the genuine interpreter."""
    return importlib.util.find_spec("tflite_micro") is not None
