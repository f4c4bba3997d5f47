"""The model package: the folder that gateways, wearables and the coordinator read (docs/architecture.md)."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import tomli_w
from numpy.typing import NDArray

from salus_chain.fixed import to_fixed, to_float
from salus_chain.layout import Layout
from salus_chain.updates import model_digest
from salus_coordinator.errors import ModelError
from salus_coordinator.model.layers import layout, rows
from salus_coordinator.model.manifest import Origin, base_manifest, reference_digest
from salus_coordinator.model.quantise import Quantised, Reference, quantise
from salus_coordinator.model.template import personal_template
from salus_edge.task import Task, load_task

FILES: Final = (
    "task.toml", "layout.json", "program.tflite", "model.i32", "base.tflite", "manifest.pb",
    "reference.npz", "report.json", "template.tflite",
)  # fmt: skip
FOLLOWS_FROM_TASK: Final = ("template.tflite",)

Json = dict[str, "str | int | float | list[str] | list[dict[str, str | int]] | dict[str, float] | dict[str, int]"]


@dataclass(frozen=True)
class Package:
    """A model package in memory. `model` is int32 (D,) at 2^-24, `manifest` the unsigned serialised one."""

    task: Task
    layout: Layout
    program: bytes
    model: NDArray[np.int32]
    base: bytes
    manifest: bytes
    reference: Reference
    report: Json


def assemble(
    task: Task,
    program: bytes,
    flat: NDArray[np.float32],
    reference: Reference,
    chain_id: bytes = b"",
    measured: dict[str, float] | None = None,
) -> Package:
    """Quantise first weights `flat` (D,) and put version 1 together. Raises ModelError when a gate or budget
    fails.

    The weights go through the 2^-24 grid first, so that the release holds exactly what the chain holds.
    """
    plan, model = layout(task), to_fixed(flat)
    quantised = quantise(task, to_float(model), reference)
    origin = Origin(
        version=1,
        settled_model_digest=model_digest(layout(task).digest, model),
        settled_round=0,
        chain_id=chain_id,
    )
    manifest = base_manifest(task, plan, quantised, reference, sha256(program).digest(), origin)
    report = _report(task, program, model, quantised, reference, measured or {})
    return Package(task, plan, program, model, quantised.model, manifest, reference, report)


def write(package: Package, folder: Path) -> None:
    """Write all files or none: into a folder beside, which then takes the name."""
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as made:
        temporary = Path(made) / "package"
        temporary.mkdir()
        for name, data in _contents(package).items():
            (temporary / name).write_bytes(data)
        np.savez_compressed(
            temporary / "reference.npz", windows=package.reference.windows, labels=package.reference.labels
        )
        publish(temporary, folder)


def publish(source: Path, folder: Path) -> None:
    """Move `source` to `folder`; files of an older package in it are replaced, other files stay."""
    if not folder.exists():
        try:
            source.rename(folder)
            return
        except OSError:  # another process was first, or another file system
            folder.mkdir(exist_ok=True)
    for name in FILES:
        shutil.copyfile(source / name, folder / f".{name}.new")
        (folder / f".{name}.new").replace(folder / name)


def read(folder: Path) -> Package:
    """Raises ModelError `bad_package` naming what is missing or does not fit."""
    missing = [name for name in FILES if name not in FOLLOWS_FROM_TASK and not (folder / name).is_file()]
    if missing:
        raise ModelError("bad_package", f"{folder} lacks {', '.join(missing)}; make it with `salus model build`")
    plan = Layout.from_json((folder / "layout.json").read_text())
    task = load_task(folder / "task.toml")
    model = np.frombuffer((folder / "model.i32").read_bytes(), "<i4").astype(np.int32)
    if plan != layout(task) or len(model) != plan.size:
        raise ModelError(
            "bad_package",
            f"{folder}: layout.json, task.toml and model.i32 do not belong together; build it again",
        )
    with np.load(folder / "reference.npz") as arrays:
        reference = Reference(arrays["windows"], arrays["labels"])
    return Package(
        task=task,
        layout=plan,
        program=(folder / "program.tflite").read_bytes(),
        model=model,
        base=(folder / "base.tflite").read_bytes(),
        manifest=(folder / "manifest.pb").read_bytes(),
        reference=reference,
        report=json.loads((folder / "report.json").read_text()),
    )


def _contents(package: Package) -> dict[str, bytes]:
    return {
        "task.toml": tomli_w.dumps(msgspec.to_builtins(package.task)).encode(),
        "layout.json": package.layout.to_json().encode(),
        "program.tflite": package.program,
        "model.i32": np.ascontiguousarray(package.model, "<i4").tobytes(),
        "base.tflite": package.base,
        "manifest.pb": package.manifest,
        "template.tflite": personal_template(package.task).content,
        "report.json": (json.dumps(package.report, indent=1) + "\n").encode(),
    }


def _report(
    task: Task,
    program: bytes,
    model: NDArray[np.int32],
    quantised: Quantised,
    reference: Reference,
    measured: dict[str, float],
) -> Json:
    table = rows(task)
    layers: list[dict[str, str | int]] = [
        {"name": row.name, "layer": row.layer.layer, "weights": row.weights, "macs": row.macs} for row in table
    ]
    base = [row for row in table if row.group == "base"]
    return {
        "task": task.name,
        "operators": list(quantised.operators),
        "layers": layers,
        "flash_bytes": len(quantised.model),
        "arena_bytes": quantised.arena_bytes,
        "macs": sum(row.macs for row in base),
        "budget": {
            "flash_bytes": task.budget.flash_bytes,
            "arena_bytes": task.budget.arena_bytes,
            "macs": task.budget.macs,
        },
        "accuracy": {
            "reference_float": quantised.float_accuracy,
            "reference_int8": quantised.int8_accuracy,
        },
        "reference_windows": len(reference.labels),
        "measured": measured,
        "program_bytes": len(program),
        "model_digest": model_digest(layout(task).digest, model).hex(),
        "base_sha256": sha256(quantised.model).hexdigest(),
        "program_sha256": sha256(program).hexdigest(),
        "layout_sha256": layout(task).digest.hex(),
        "reference_sha256": reference_digest(reference).hex(),
    }
