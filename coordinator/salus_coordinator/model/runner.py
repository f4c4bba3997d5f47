"""Runs a training program in this process with LiteRT, on batches of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class Runner:
    """One interpreter of one program; its weights, momentum and anchor are its state."""

    def __init__(self, program: bytes, batch: int, threads: int = 1) -> None:
        self._interpreter = Interpreter(model_content=program, num_threads=threads)
        self._interpreter.allocate_tensors()
        names = self._interpreter.get_signature_list()
        self._run: dict[str, Any] = {name: self._interpreter.get_signature_runner(name) for name in names}
        self.batch = batch

    def load(self, flat: Floats) -> None:
        """Take weights (D,) and forget the momentum."""
        self._run["load"](flat=np.asarray(flat, np.float32))
        self._run["reset_optimizer"](unused=np.float32(0.0))

    def dump(self) -> Floats:
        return np.array(self._run["dump"](unused=np.float32(0.0))["flat"], np.float32)

    def step(self, signature: str, x: Floats, y: NDArray[np.int32], weight: Floats, rates: dict[str, float]) -> float:
        """One SGD step of `train` or `train_features` on a full batch; the loss before it."""
        name = "x" if signature == "train" else "f"
        scalars = {key: np.float32(value) for key, value in rates.items()}
        return float(self._run[signature](**{name: x, "y": y, "weight": weight}, **scalars)["loss"])

    def map(self, signature: str, x: Floats) -> Floats:
        """`predict`, `predict_features` or `features` of any number of rows."""
        name, output = (
            ("f" if signature == "predict_features" else "x"),
            "f" if signature == "features" else "logits",
        )
        rows = []
        for at in range(0, len(x), self.batch):
            batch = x[at : at + self.batch]
            padded = np.zeros((self.batch, *x.shape[1:]), np.float32)
            padded[: len(batch)] = batch
            rows.append(self._run[signature](**{name: padded})[output][: len(batch)].copy())
        return np.concatenate(rows)
