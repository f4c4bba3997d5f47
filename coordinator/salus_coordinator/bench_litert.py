"""A child of `salus bench gateway`: the training program as a gateway runs it. Needs no TensorFlow."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from salus_coordinator.model.layers import layout
from salus_edge.task import load_task
from salus_edge.training.program import Rates, TrainingProgram

RATES = Rates(lr_shared=0.01, lr_personal=0.01, momentum=0.9)


def measure(folder: Path, seconds: float) -> dict[str, float]:
    """Steps/s on trunk and head, and on the whole network; peak resident MB."""
    with np.load(folder / "inputs.npz") as arrays:
        inputs = {name: arrays[name] for name in arrays.files}
    task = load_task(folder / "task.toml")
    runner = TrainingProgram(folder / "program.tflite", layout(task), task.batch)
    runner.load(inputs["flat"])
    weight, y = np.ones(task.batch, np.float32), inputs["y"]
    figures = {
        "head_steps_s": rate(lambda at: runner.train_features(inputs["f"][at], y[at], weight, RATES), len(y), seconds),
        "whole_steps_s": rate(lambda at: runner.train(inputs["x"][at], y[at], weight, RATES), len(y), seconds),
    }
    assert not any(name.startswith(("tensorflow", "keras")) for name in sys.modules)
    return {**figures, "rss_mb": peak_mb()}


def rate(step: Callable[[int], object], count: int, seconds: float) -> float:
    """Calls per second of `step(0..count-1)` in turn, after one round of warming up."""
    for at in range(count):
        step(at)
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < seconds:
        for at in range(count):
            step(at)
        done += count
    return done / (time.perf_counter() - begin)


def peak_mb() -> float:
    """Peak resident memory of this process. Linux's `ru_maxrss` starts at what the parent had before `exec`."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), float(sys.argv[2]))) + "\n")
