"""Everything a wearable checks of a base release before it swaps. Nothing here changes any state."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from salus_chain.proto import release_pb2
from salus_edge.errors import Refused
from salus_edge.frontend.pipeline import FrontEnd, manifest_frontend
from salus_edge.signed import (
    MAX_GOLDENS,
    RunGolden,
    check_arena,
    check_bytes,
    check_place,
    read_signed,
    sign_manifest,
    usable_quantisation,
)
from salus_edge.task import Task

__all__ = ["check_offer", "golden_inputs", "read_signed", "sign_manifest", "verify_release"]


def check_offer(
    signed: bytes,
    *,
    release_public_key: bytes,
    task: Task,
    newer_than: int,
    chain_id: bytes,
    arena_limit: int,
) -> release_pb2.Manifest:
    """What can be checked before a byte of the model is fetched.

    Raises Refused: `bad_signature`, `malformed`, `wrong_chain`, `wrong_task`, `older_version`, `wrong_size`,
    `wrong_frontend`, `arena_too_large`.
    """
    manifest = read_signed(signed, release_public_key)
    _check_form(manifest)
    if manifest.task != task.name:
        raise Refused("wrong_task", f"a release for task {manifest.task!r}; this wearable runs {task.name!r}")
    _check_fit(manifest, task)
    check_place(manifest, chain_id=chain_id, newer_than=newer_than)
    _check_frontend(manifest, task)
    check_arena(manifest, arena_limit)
    return manifest


def verify_release(
    signed: bytes,
    model: bytes,
    *,
    release_public_key: bytes,
    task: Task,
    newer_than: int,
    chain_id: bytes,
    run_golden: RunGolden,
    arena_limit: int,
) -> release_pb2.Manifest:
    """The manifest of a release that may be swapped in: all of `check_offer`, then the model itself.

    Raises Refused as `check_offer`, and `wrong_size`, `wrong_hash`, `bad_model`, `golden_differs`.
    """
    manifest = check_offer(
        signed,
        release_public_key=release_public_key,
        task=task,
        newer_than=newer_than,
        chain_id=chain_id,
        arena_limit=arena_limit,
    )
    check_bytes(manifest, model)
    _run_goldens(manifest, model, run_golden, arena_limit)
    return manifest


def golden_inputs(manifest: release_pb2.Manifest) -> NDArray[np.int8]:
    """int8 (n, samples, channels). The manifest's form was checked."""
    shape = tuple(manifest.input.shape)
    return np.frombuffer(b"".join(manifest.golden_inputs), np.int8).reshape(-1, *shape)


def _run_goldens(manifest: release_pb2.Manifest, model: bytes, run_golden: RunGolden, arena_limit: int) -> None:
    outputs = run_golden(model, golden_inputs(manifest), arena_limit)
    feature = next(golden for golden in manifest.goldens if golden.name == "feature")
    if len(outputs) != len(feature.outputs):
        raise Refused("golden_differs", f"{len(outputs)} outputs for {len(feature.outputs)} golden inputs")
    for index, (output, wanted) in enumerate(zip(outputs, feature.outputs, strict=True)):
        if output.astype(np.int8).tobytes() != wanted:
            raise Refused("golden_differs", f"golden input {index} gives another feature than the manifest's")


def _check_form(manifest: release_pb2.Manifest) -> None:
    """Raises Refused `malformed`: parts of the manifest do not fit each other."""
    inputs, shape = manifest.golden_inputs, manifest.input.shape
    size = int(np.prod(shape, dtype=np.int64)) if len(shape) == 2 else 0
    features = [golden for golden in manifest.goldens if golden.name == "feature"]
    width = int(np.prod(manifest.output.shape, dtype=np.int64)) if manifest.output.shape else 0
    checks = {
        "kind and signer are a base release of the release key": (
            manifest.kind == release_pb2.Manifest.BASE and manifest.signer_role == release_pb2.Manifest.RELEASE_KEY
        ),
        "sha256 has 32 bytes": len(manifest.sha256) == 32,
        "input and output quantisations are such": usable_quantisation(manifest.input)
        and usable_quantisation(manifest.output),
        f"1 to {MAX_GOLDENS} golden inputs of the input's shape": (
            0 < len(inputs) <= MAX_GOLDENS and size > 0 and all(len(each) == size for each in inputs)
        ),
        "one golden feature per golden input, of the output's shape": (
            len(features) == 1
            and len(features[0].outputs) == len(inputs)
            and all(len(each) == width for each in features[0].outputs)
        ),
    }
    if failed := [claim for claim, holds in checks.items() if not holds]:
        raise Refused("malformed", f"manifest of version {manifest.version} breaks: {'; '.join(failed)}")


def _check_fit(manifest: release_pb2.Manifest, task: Task) -> None:
    """Raises Refused `malformed`: a model for other windows or features would stop the wearable, or mislead it."""
    front_end, feature = FrontEnd.of(task), task.feature
    window = (front_end.rows, front_end.channels)
    if tuple(manifest.input.shape) != window:
        raise Refused("malformed", f"an input of shape {list(manifest.input.shape)}; the task's windows are {window}")
    output = manifest.output
    if (np.float32(output.scale), output.zero_point) != (np.float32(feature.scale), feature.zero_point):
        raise Refused("malformed", "the features' scale or zero point is not the task's, which is fixed")


def _check_frontend(manifest: release_pb2.Manifest, task: Task) -> None:
    mine = manifest_frontend(task).SerializeToString(deterministic=True)
    theirs = manifest.frontend.SerializeToString(deterministic=True)
    if theirs != mine or manifest.frontend_sha256 != sha256(mine).digest():
        raise Refused("wrong_frontend", f"the release wants another front end than task {task.name}'s")
