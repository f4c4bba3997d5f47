"""Build the tests' tiny model package: `python build_package.py FOLDER` (TensorFlow stays in this process)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from salus_coordinator.model.layers import layout
from salus_coordinator.model.package import assemble, write
from salus_coordinator.model.program import convert
from salus_coordinator.model.quantise import Reference
from salus_edge.task import Block, Budget, Feature, Layer, Task, Window
from salus_edge.training.program import Rates, TrainingProgram
from tests.edge.people import CLASSES, make_windows

TASK = Task(
    name="wave",
    title="Waves of two frequencies and rest",
    channels=["x", "y"],
    rate_hz=20.0,
    classes=list(CLASSES),
    window=Window(samples=32, hop=32),
    frontend=[Block(block="scale", parameters={"offset": [0.0, 0.0], "gain": [1.0, 1.0]})],
    base=[Layer(layer="conv", filters=8, taps=4, stride=2), Layer(layer="average_pool", bins=1)],
    trunk=[Layer(layer="dense", units=8, relu=True)],
    feature=Feature(scale=6.0 / 255.0, zero_point=-128),
    budget=Budget(flash_bytes=65536, arena_bytes=65536, macs=1_000_000),
    batch=8,
)


def main(folder: Path) -> None:
    rng = np.random.default_rng(7)
    labels = np.tile(np.arange(len(CLASSES)), 40)
    windows = make_windows(labels, rng)
    program, plan = convert(TASK), layout(TASK)
    start = np.concatenate(
        [
            rng.normal(0, 0.4, variable.size) if variable.name.endswith("kernel") else np.full(variable.size, 0.1)
            for variable in plan.variables
        ]
    ).astype(np.float32)
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        Path(file.name).write_bytes(program)
        trainer = TrainingProgram(Path(file.name), plan, TASK.batch)
        trainer.load(start)
        for _ in range(30):
            order = rng.permutation(len(labels))
            trainer.train(windows[order], labels[order], np.ones(len(labels), np.float32), Rates(0.05, 0.05, 0.5))
        flat = trainer.dump()
    write(assemble(TASK, program, flat, Reference(windows, labels.astype(np.int64))), folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
