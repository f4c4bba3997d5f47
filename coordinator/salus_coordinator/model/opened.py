"""A training program just compiled, in the very class that gateways train with."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from salus_coordinator.errors import ModelError
from salus_coordinator.model import forward
from salus_coordinator.model.layers import layout, rows
from salus_edge.task import Task
from salus_edge.training.program import TrainingProgram

Floats = NDArray[np.float32]
TOLERANCE = 1e-4


def opened(task: Task, program: bytes) -> TrainingProgram:
    """The program in a LiteRT interpreter, which keeps its own copy. Raises ProgramError."""
    with tempfile.TemporaryDirectory(prefix="salus-program-") as folder:
        path = Path(folder) / "program.tflite"
        path.write_bytes(program)
        return TrainingProgram(path, layout(task), task.batch)


def check_program(task: Task, program: bytes, flat: Floats, windows: Floats) -> None:
    """Raises ModelError `program_differs` unless the program computes what the layer table says.

    Converters fuse operators, and have been seen to lose an activation in doing so.
    """
    table, runner = rows(task), opened(task, program)
    runner.load(flat)
    weights = {name: np.asarray(value, np.float32) for name, value in layout(task).split(flat).items()}
    wanted = forward.logits(table, weights, forward.features(table, weights, windows))
    error = float(np.abs(runner.predict(windows) - wanted).max())
    if not error <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise ModelError("program_differs", f"the training program's logits differ by {error:g}; report this task")
