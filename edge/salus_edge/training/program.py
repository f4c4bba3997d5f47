"""The training program: a .tflite that trains a task's model without TensorFlow (docs/architecture.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from salus_chain.layout import Layout
from salus_edge.errors import ProgramError
from salus_edge.runtime import Runner, interpreter

Floats = NDArray[np.float32]
Labels = NDArray[np.integer[Any]]

SIGNATURES: Final = (
    "train",
    "train_features",
    "predict",
    "predict_features",
    "features",
    "load",
    "load_anchor",
    "dump",
    "reset_optimizer",
)


@dataclass(frozen=True, slots=True)
class Rates:
    """What one SGD step takes: base and trunk move with `lr_shared`, the head with `lr_personal`."""

    lr_shared: float
    lr_personal: float
    momentum: float = 0.0
    weight_decay: float = 0.0
    mu: float = 0.0

    def scalars(self) -> dict[str, np.float32]:
        names = ("lr_shared", "lr_personal", "momentum", "weight_decay", "mu")
        return {name: np.float32(getattr(self, name)) for name in names}


class TrainingProgram:
    """One task's weights inside a LiteRT interpreter, trained and read through signatures. Not thread-safe.

    Rows come in any number: they go through in batches of the program's size, the last one padded with
    weight 0.
    """

    def __init__(self, path: Path, layout: Layout, batch: int) -> None:
        """Raises ProgramError: no such program, a signature is missing, or its sizes are not the task's."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ProgramError(f"{path}: cannot read the training program: {error.strerror}") from None
        self.path, self.layout, self.batch = path, layout, batch
        self._interpreter = interpreter(content)
        known = self._interpreter.get_signature_list()
        missing = [name for name in SIGNATURES if name not in known]
        if missing:
            raise ProgramError(f"{path}: no signature {missing[0]!r}; build the model package again")
        self._run: dict[str, Runner] = {name: self._interpreter.get_signature_runner(name) for name in SIGNATURES}
        self._scalar: dict[str, dict[str, np.float32]] = {
            name: {"unused": np.float32(0)} if known[name]["inputs"] else {} for name in ("dump", "reset_optimizer")
        }
        self.window_shape = self._shape("predict", "x")[1:]
        self.features_per_window = int(self._shape("predict_features", "f")[1])
        self._check()

    def load(self, flat: Floats) -> None:
        """Set all weights, float32 (D,) in the layout's order."""
        self._run["load"](flat=self._flat(flat))

    def load_anchor(self, flat: Floats) -> None:
        """Set what `mu` pulls toward, float32 (D,)."""
        self._run["load_anchor"](flat=self._flat(flat))

    def dump(self) -> Floats:
        """All weights, float32 (D,)."""
        return np.array(self._run["dump"](**self._scalar["dump"])["flat"], np.float32)

    def reset(self) -> None:
        """Forget the momentum."""
        self._run["reset_optimizer"](**self._scalar["reset_optimizer"])

    def train(self, windows: Floats, labels: Labels, weights: Floats, rates: Rates) -> float:
        """One pass over windows (n, samples, channels) in their order; the mean loss, 0.0 for no rows."""
        return self._pass("train", "x", self._rows(windows, self.window_shape), labels, weights, rates)

    def train_features(self, features: Floats, labels: Labels, weights: Floats, rates: Rates) -> float:
        """One pass over dequantised features (n, F); the base stays."""
        rows = self._rows(features, (self.features_per_window,))
        return self._pass("train_features", "f", rows, labels, weights, rates)

    def predict(self, windows: Floats) -> Floats:
        """Logits (n, K) of windows (n, samples, channels)."""
        return self._map("predict", "x", self._rows(windows, self.window_shape), "logits")

    def predict_features(self, features: Floats) -> Floats:
        """Logits (n, K) of dequantised features (n, F)."""
        return self._map("predict_features", "f", self._rows(features, (self.features_per_window,)), "logits")

    def features(self, windows: Floats) -> Floats:
        """Features (n, F) before quantisation, by the float base."""
        return self._map("features", "x", self._rows(windows, self.window_shape), "f")

    def _pass(self, name: str, field: str, rows: Floats, labels: Labels, weights: Floats, rates: Rates) -> float:
        if labels.shape != (len(rows),) or weights.shape != (len(rows),):
            raise ProgramError(f"{len(rows)} rows need as many labels and weights, not {labels.shape}, {weights.shape}")
        scalars, run, losses = rates.scalars(), self._run[name], []
        for start, count in self._batches(len(rows)):
            here = slice(start, start + count)
            loss = run(
                **{field: self._pad(rows[here])},
                y=self._pad(labels[here].astype(np.int32)),
                weight=self._pad(weights[here].astype(np.float32)),
                **scalars,
            )["loss"]
            losses.append(float(loss) * count)
        return sum(losses) / len(rows) if losses else 0.0

    def _map(self, name: str, field: str, rows: Floats, output: str) -> Floats:
        run = self._run[name]
        parts = [
            np.array(run(**{field: self._pad(rows[start : start + count])})[output][:count])
            for start, count in self._batches(len(rows))
        ]
        width = self.features_per_window if output == "f" else self.layout.variables[-1].shape[-1]
        return np.concatenate(parts) if parts else np.empty((0, width), np.float32)

    def _batches(self, rows: int) -> Iterator[tuple[int, int]]:
        for start in range(0, rows, self.batch):
            yield start, min(self.batch, rows - start)

    def _pad(self, rows: NDArray[Any]) -> NDArray[Any]:
        if len(rows) == self.batch:
            return np.ascontiguousarray(rows)
        padded = np.zeros((self.batch, *rows.shape[1:]), rows.dtype)
        padded[: len(rows)] = rows
        return padded

    def _rows(self, rows: Floats, shape: tuple[int, ...]) -> Floats:
        if rows.shape[1:] != shape:
            raise ProgramError(f"{self.path.name} takes rows of shape {shape}, not {rows.shape[1:]}")
        return np.asarray(rows, np.float32)

    def _flat(self, flat: Floats) -> Floats:
        if flat.shape != (self.layout.size,):
            raise ProgramError(f"the layout has {self.layout.size} weights, the vector has shape {flat.shape}")
        return np.ascontiguousarray(flat, np.float32)

    def _shape(self, signature: str, name: str) -> tuple[int, ...]:
        details = self._run[signature].get_input_details()  # type: ignore[attr-defined]
        if name not in details:
            raise ProgramError(f"{self.path}: signature {signature!r} has no input {name!r}")
        return tuple(int(n) for n in details[name]["shape"])

    def _check(self) -> None:
        size, batch = self._shape("load", "flat")[0], self._shape("predict", "x")[0]
        if size != self.layout.size:
            raise ProgramError(
                f"{self.path}: holds {size} weights, the layout {self.layout.size}; build the package again"
            )
        if batch != self.batch:
            raise ProgramError(
                f"{self.path}: takes batches of {batch}, the task says {self.batch}; build the package again"
            )
