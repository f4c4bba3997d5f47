"""`salus bench device`: what the portable engine costs on a Cortex-M4, and whether it computes what TFLM computes."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich import box
from rich.table import Table

from salus_hil.bench.emulator import INSTRUCTIONS_PER_TICK, build, run
from salus_hil.errors import ConfigError, RigError

LARGE_ARENA_BYTES: Final = 1 << 20
RANDOM_INPUTS: Final = 100
ANCHOR: Final = "cnn_43k_int8"
# anchors/device.md: TFLM's reference kernels on the anchor's model, -Os, on the same emulated board.
TFLM: Final = {"instructions": 4_620_000, "text_bytes": 63_000, "arena_bytes": 3_236}


@dataclass(frozen=True, slots=True)
class Measured:
    """Text is of the whole program, which holds no model and no test data; `outputs` values were compared."""

    model: str
    model_bytes: int
    inputs: int
    instructions: int
    text_bytes: int
    data_bytes: int
    bss_bytes: int
    arena_bytes: int
    mismatches: int
    outputs: int

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def measure(model_path: Path) -> Measured:
    """Build, run in the smallest arena, compare.

    Inputs and TFLM's outputs are `<name>_inputs.npy` and `<name>_tflm_outputs.npy` beside the model, its name without
    `_int8`; without them inputs are random and TFLM runs here.
    Raises ConfigError, MissingTool, RigError.
    """
    try:
        model = model_path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{model_path}: {error.strerror}") from None
    inputs, expected = _vectors(model_path, model)
    with tempfile.TemporaryDirectory(prefix="salus-bench-") as made:
        program = build(Path(made))
        arena_bytes = run(program.path, model, inputs[:1], LARGE_ARENA_BYTES).arena_bytes
        answer = run(program.path, model, inputs, arena_bytes)
    if answer.status != "ok" or len(answer.outputs) != len(inputs):
        raise RigError(f"{model_path}: the engine says {answer.status} after {len(answer.outputs)} inputs")
    return Measured(
        model=model_path.stem,
        model_bytes=len(model),
        inputs=len(inputs),
        instructions=round(float(answer.ticks.mean()) * INSTRUCTIONS_PER_TICK),
        text_bytes=program.text_bytes,
        data_bytes=program.data_bytes,
        bss_bytes=program.bss_bytes,
        arena_bytes=answer.arena_bytes,
        mismatches=int(np.count_nonzero(answer.outputs != expected)),
        outputs=int(expected.size),
    )


def _vectors(model_path: Path, model: bytes) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Inputs (n, …) and what TFLM makes of them (n, values)."""
    name = model_path.stem.removesuffix("_int8")
    stored = [model_path.with_name(f"{name}_{part}.npy") for part in ("inputs", "tflm_outputs")]
    if all(path.exists() for path in stored):
        inputs, expected = (np.load(path) for path in stored)
        return inputs, expected.reshape(len(expected), -1)
    from ai_edge_litert import schema_py_generated as schema

    from salus_coordinator.model.oracle import Oracle

    graph = schema.Model.GetRootAsModel(model, 0).Subgraphs(0)
    shape = graph.Tensors(graph.Inputs(0)).ShapeAsNumpy()
    if len(shape) != 4 or tuple(shape[:2]) != (1, 1):
        needed = " and ".join(path.name for path in stored)
        raise ConfigError(f"{model_path}: takes {(*shape,)}, no window (1, 1, samples, channels); {needed} would do")
    windows = np.random.default_rng(0).integers(-128, 128, (RANDOM_INPUTS, *shape[2:]), np.int8)
    return windows, Oracle(model).run(windows)


def table(measured: Measured) -> Table:
    """The figures; TFLM's beside them on the model that those are of."""
    known = measured.model == ANCHOR
    made = Table(
        title=f"{measured.model} on an emulated Cortex-M4, {measured.inputs} inputs",
        title_justify="left",
        box=box.SIMPLE,
    )
    made.add_column("")
    made.add_column("portable", justify="right")
    if known:
        made.add_column("TFLM, reference kernels", justify="right")
    rows = {"instructions per inference": "instructions", "text bytes": "text_bytes", "arena bytes": "arena_bytes"}
    for label, key in rows.items():
        theirs = [f"{TFLM[key]:,}"] if known else []
        made.add_row(label, f"{getattr(measured, key):,}", *theirs)
    made.add_row("outputs that differ from TFLM's", f"{measured.mismatches:,} of {measured.outputs:,}")
    return made
