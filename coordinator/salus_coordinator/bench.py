"""`salus bench gateway`: the LiteRT training program against Keras on the same model, batches and core.

Each runs in a process of its own with one thread: the gateway's as on a gateway, without TensorFlow. They take
turns, so that a machine that slows down slows both; a figure is the median over the turns, a ratio the median of
each turn's ratio.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

import msgspec
import numpy as np
import tomli_w
from rich import box
from rich.table import Table

from salus_coordinator.errors import CoordinatorError
from salus_coordinator.model.layers import features, initial, window_shape
from salus_edge.task import Task

ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
}
BATCHES: Final = 16
TURNS: Final = 3
COMPARED: Final = "Keras 3 (TensorFlow) fit and train_on_batch, same model, batches and SGD with momentum, one core"

Figures = dict[str, float | str | int]


def gateway(task: Task, seconds: float) -> Figures:
    """Steps/s of head and whole network, and peak memory. Raises CoordinatorError when a child fails."""
    with tempfile.TemporaryDirectory(prefix="salus-bench-") as made:
        folder = Path(made)
        _inputs(task, folder)
        # Keras first: its process, which has TensorFlow, also converts the program.
        turns = [(_child("keras", folder, seconds), _child("litert", folder, seconds)) for _ in range(TURNS)]
    keras, litert = (_medians([turn[side] for turn in turns]) for side in (0, 1))
    return {
        "task": task.name,
        "batch": task.batch,
        "turns": TURNS,
        "compared_with": COMPARED,
        **{f"litert_{name}": value for name, value in litert.items() if name != "rss_mb"},
        **{f"keras_{name}": value for name, value in keras.items() if name != "rss_mb"},
        "head_ratio": _ratio(turns, "head_steps_s", "head_train_on_batch_s"),
        "whole_ratio": _ratio(turns, "whole_steps_s", "whole_train_on_batch_s"),
        "head_ratio_fit": _ratio(turns, "head_steps_s", "head_fit_s"),
        "whole_ratio_fit": _ratio(turns, "whole_steps_s", "whole_fit_s"),
        "rss_mb": litert["rss_mb"],
        "keras_rss_mb": keras["rss_mb"],
    }


def _medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {name: median(row[name] for row in rows) for name in rows[0]}


def _ratio(turns: list[tuple[dict[str, float], dict[str, float]]], ours: str, theirs: str) -> float:
    """The median over the turns of LiteRT's figure over Keras's of the same turn."""
    return median(litert[ours] / keras[theirs] for keras, litert in turns)


def table(figures: Figures) -> Table:
    """Steps/s side by side; what was compared stands in the title."""
    made = Table(
        title=f"Training on a gateway, task {figures['task']}, batch {figures['batch']}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
    )
    made.caption = f"LiteRT program against {figures['compared_with']}"
    for heading in (
        "SGD steps/s",
        "LiteRT",
        "train_on_batch",
        "fit",
        "ratio",
        "ratio to fit",
    ):
        made.add_column(heading, justify="left" if heading == "SGD steps/s" else "right")
    for part, name in (("head", "head, trunk"), ("whole", "whole net")):
        made.add_row(
            name,
            f"{figures[f'litert_{part}_steps_s']:,.0f}",
            f"{figures[f'keras_{part}_train_on_batch_s']:,.0f}",
            f"{figures[f'keras_{part}_fit_s']:,.0f}",
            f"{figures[f'{part}_ratio']:.1f}×",
            f"{figures[f'{part}_ratio_fit']:.1f}×",
        )
    made.add_row("peak MB", f"{figures['rss_mb']:.0f}", f"{figures['keras_rss_mb']:.0f}", "", "", "")
    return made


def _inputs(task: Task, folder: Path) -> None:
    """The same task, first weights and batches for both children."""
    rng = np.random.default_rng(0)
    (folder / "task.toml").write_text(tomli_w.dumps(msgspec.to_builtins(task)))
    np.savez(
        folder / "inputs.npz",
        flat=initial(task, rng),
        x=rng.normal(size=(BATCHES, task.batch, *window_shape(task))).astype(np.float32),
        f=np.abs(rng.normal(size=(BATCHES, task.batch, features(task)))).astype(np.float32),
        y=rng.integers(0, len(task.classes), (BATCHES, task.batch)).astype(np.int32),
    )


def _child(kind: str, folder: Path, seconds: float) -> dict[str, float]:
    command = [sys.executable, "-m", f"salus_coordinator.bench_{kind}", str(folder), str(seconds)]
    done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CoordinatorError(f"bench: the {kind} process failed: {done.stderr.strip()[-500:]}")
    answer: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
