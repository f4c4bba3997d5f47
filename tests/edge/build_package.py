"""Builds the small task's model package in a process of its own: only this one imports TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from salus_coordinator.model import package
from salus_coordinator.model.layers import initial
from salus_coordinator.model.program import convert
from salus_coordinator.model.quantise import Reference
from tests.edge.house import CLASSES, motion, small_task

if __name__ == "__main__":
    task, rng = small_task(), np.random.default_rng(7)
    windows = np.concatenate([motion(label, 20, rng) for label in range(len(CLASSES))])
    labels = np.repeat(np.arange(len(CLASSES)), 20).astype(np.int64)
    made = package.assemble(task, convert(task), initial(task, rng), Reference(windows, labels))
    package.write(made, Path(sys.argv[1]))
