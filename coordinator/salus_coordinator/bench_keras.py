"""A child of `salus bench gateway`: Keras `train_on_batch` and `fit`, one thread; it also compiles the
program.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from salus_coordinator.bench_litert import RATES, peak_mb, rate
from salus_coordinator.model.keras_model import compile_sgd, dense_model, set_weights, whole_model
from salus_coordinator.model.program import convert
from salus_edge.task import load_task


def measure(folder: Path, seconds: float) -> dict[str, float]:
    """Steps/s of both ways for both parts; peak resident MB before the program is compiled."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    task = load_task(folder / "task.toml")
    with np.load(folder / "inputs.npz") as arrays:
        inputs = {name: arrays[name] for name in arrays.files}
    figures: dict[str, float] = {}
    for part, model, rows in (("head", dense_model(task), "f"), ("whole", whole_model(task), "x")):
        set_weights(model, task, inputs["flat"])
        compile_sgd(model, RATES.lr_shared, RATES.momentum)
        figures[f"{part}_train_on_batch_s"] = _on_batch(model, inputs[rows], inputs["y"], seconds)
        figures[f"{part}_fit_s"] = _fit(model, inputs[rows], inputs["y"], seconds)
    figures["rss_mb"] = peak_mb()
    (folder / "program.tflite").write_bytes(convert(task))
    return figures


def _on_batch(model: Any, x: NDArray[np.float32], y: NDArray[np.int32], seconds: float) -> float:
    return rate(lambda at: model.train_on_batch(x[at], y[at]), len(y), seconds)


def _fit(model: Any, x: NDArray[np.float32], y: NDArray[np.int32], seconds: float) -> float:
    """`fit` over repeats of the batches, so that an epoch is long enough not to count Keras's start."""
    repeats, batch = 8, y.shape[1]
    rows, labels = (
        np.concatenate([x.reshape(-1, *x.shape[2:])] * repeats),
        np.concatenate([y.ravel()] * repeats),
    )
    model.fit(rows[: 2 * batch], labels[: 2 * batch], batch_size=batch, verbose=0)
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        model.fit(rows, labels, batch_size=batch, verbose=0)
        done += len(rows) // batch
    return done / (time.perf_counter() - begin)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), float(sys.argv[2]))) + "\n")
