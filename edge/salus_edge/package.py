"""What a gateway reads of a model package (docs/architecture.md): no TensorFlow, nothing that trains it
anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_chain.errors import DecodeError
from salus_chain.fixed import Int32s, to_float
from salus_chain.layout import Layout
from salus_chain.proto import release_pb2
from salus_chain.updates import model_digest
from salus_edge.errors import ConfigError
from salus_edge.task import Task, load_task

FILES: Final = ("task.toml", "layout.json", "program.tflite", "model.i32", "base.tflite", "manifest.pb")


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """The release of version 1: `model` is the first shared model, float32 (D,); `fixed` the same, int32 at 2^-24,
    which the chain names by `model_digest`.
    """

    task: Task
    layout: Layout
    program: Path
    program_digest: bytes
    model: NDArray[np.float32]
    fixed: Int32s
    model_digest: bytes
    base: bytes
    base_sha256: bytes
    manifest: bytes
    template: bytes = b""  # of personal releases; empty in a package that has none


def read_package(folder: Path) -> ModelPackage:
    """Raises ConfigError: a file is missing or does not fit the others."""
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        raise ConfigError(f"{folder}: no {missing[0]}; `salus model build` writes a whole package")
    task = load_task(folder / "task.toml")
    try:
        layout = Layout.from_json((folder / "layout.json").read_text())
    except DecodeError as error:
        raise ConfigError(f"{folder / 'layout.json'}: {error}") from None
    raw = (folder / "model.i32").read_bytes()
    if len(raw) != 4 * layout.size:
        raise ConfigError(f"{folder / 'model.i32'}: {len(raw)} bytes where the layout wants {4 * layout.size}")
    program, base = folder / "program.tflite", (folder / "base.tflite").read_bytes()
    manifest = (folder / "manifest.pb").read_bytes()
    if release_pb2.Manifest.FromString(manifest).sha256 != sha256(base).digest():
        raise ConfigError(f"{folder / 'manifest.pb'}: names another base than base.tflite")
    template = folder / "template.tflite"
    fixed = np.frombuffer(raw, "<i4").astype(np.int32)
    return ModelPackage(
        task,
        layout,
        program,
        sha256(program.read_bytes()).digest(),
        to_float(fixed),
        fixed,
        model_digest(layout.digest, fixed),
        base,
        sha256(base).digest(),
        manifest,
        template.read_bytes() if template.is_file() else b"",
    )
