"""What a validator checks, outside consensus, before it signs for a model or a release. Pure but for LiteRT.

A release is an int8 model that claims to be the settled one: every stored weight must be the nearest step to
its settled value, and steps must be as fine as symmetric int8 makes them, or a coarse scale could hide
another model.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Final

import numpy as np
from google.protobuf.message import DecodeError as ProtobufError
from numpy.typing import NDArray

from salus_chain.candidates import RELEASE_DOMAIN, ModelCandidate, ReleaseCandidate
from salus_chain.errors import DecodeError, Rejected
from salus_chain.fixed import Int32s, to_float
from salus_chain.genesis import Genesis
from salus_chain.keys import verify
from salus_chain.node.settling.tflite import Constant, read_constants
from salus_chain.proto.release_pb2 import Manifest, SignedManifest
from salus_chain.rules.models import layout, require_task
from salus_chain.rules.state import State, Task
from salus_chain.rules.transactions import ApproveModel, ApproveRelease

SLACK: Final = 1 + 1e-3  # the converter computes scales in float32
RESOLUTION: Final = 2.0**-23  # two steps of the settled grid
INT8_MOST: Final = 127


def approve_model(state: State, candidate: ModelCandidate, tasks: Sequence[str]) -> ApproveModel:
    """The statement to sign. Raises Rejected `not_our_task`, `bad_model`, `too_large`."""
    require_listed(candidate.task, tasks)
    try:
        values, blob = candidate.values, candidate.blob
    except DecodeError as error:
        raise Rejected("bad_model", str(error)) from None
    if (values == np.iinfo(np.int32).min).any():
        raise Rejected("too_large", f"task {candidate.task}: a value is not within ±128")
    known = state.tasks.get(candidate.task)
    return ApproveModel(
        candidate.task,
        (known.sequence if known else 0) + 1,
        candidate.layout_json,
        candidate.program_digest,
        sha256(blob).digest(),
    )


def require_listed(task: str, tasks: Sequence[str]) -> None:
    """Raises Rejected unless one of the hospital's patterns (`activity`, `activity.*`) matches."""
    if not any(fnmatchcase(task, pattern) for pattern in tasks):
        raise Rejected("not_our_task", f"this hospital takes no part in task {task}; see `tasks` in its configuration")


def read_manifest(genesis: Genesis, candidate: ReleaseCandidate) -> Manifest:
    """The manifest, its signature and the model's bytes checked.

    Raises Rejected `bad_manifest`, `bad_release_signature`, `wrong_chain`, `wrong_kind`, `wrong_hash`.
    """
    try:
        signed = SignedManifest.FromString(candidate.signed_manifest)
        manifest = Manifest.FromString(signed.manifest)
    except ProtobufError as error:
        raise Rejected("bad_manifest", f"the release's manifest cannot be read: {error}") from None
    where = f"release {manifest.version} of task {manifest.task}"
    if not any(verify(key, signed.signature, RELEASE_DOMAIN, signed.manifest) for key in genesis.release_keys):
        raise Rejected("bad_release_signature", f"{where}: not signed by a release key of this federation")
    if manifest.chain_id != genesis.chain_id:
        raise Rejected("wrong_chain", f"{where}: made for another chain")
    if manifest.kind != Manifest.BASE or manifest.signer_role != Manifest.RELEASE_KEY:
        raise Rejected("wrong_kind", f"{where}: only base releases, signed by a release key, are approved")
    if sha256(candidate.model).digest() != manifest.sha256 or len(candidate.model) != manifest.size_bytes:
        raise Rejected("wrong_hash", f"{where}: the model is not the one that the manifest names")
    return manifest


def check_manifest(state: State, manifest: Manifest, tasks: Sequence[str]) -> Task:
    """The task that this release is of.

    Raises Rejected `not_our_task`, `unknown_task`, `old_version`, `stale_model`.
    """
    require_listed(manifest.task, tasks)
    task = require_task(state, manifest.task)
    where = f"release {manifest.version} of task {manifest.task}"
    if manifest.version <= task.release.version:
        raise Rejected("old_version", f"{where}: version {task.release.version} is approved already")
    if manifest.settled_model_digest != task.model_digest:
        raise Rejected("stale_model", f"{where}: not made from the settled model {task.model_digest.hex()[:16]}")
    return task


def release_statement(manifest: Manifest, candidate: ReleaseCandidate) -> ApproveRelease:
    return ApproveRelease(
        manifest.task,
        manifest.version,
        sha256(candidate.blob).digest(),
        manifest.sha256,
        manifest.settled_model_digest,
    )


def check_weights(task: Task, manifest: Manifest, model: bytes, settled: Int32s) -> None:
    """Whether the .tflite's constants are the settled model (D,), quantised.

    Raises Rejected `not_covered`, `bad_model`, `off_model`, naming the variable.
    """
    shape = layout(task.layout_json)
    mapping = {tensor.variable: tensor.tensor for tensor in manifest.tensors}
    base = shape.names(["base"])
    missing = [name for name in base if name not in mapping]
    if missing or len(mapping) != len(manifest.tensors):
        raise Rejected("not_covered", f"task {task.id}: each base variable has one tensor; missing: {missing}")
    constants = read_constants(model, frozenset(mapping[name] for name in base))
    values = shape.split(to_float(settled))
    for name in base:
        _check_variable(name, np.asarray(values[name], np.float64), constants[mapping[name]])


def _check_variable(name: str, value: NDArray[np.float64], constant: Constant) -> None:
    stored = constant.stored
    wanted = np.int32 if value.ndim == 1 else np.int8
    if stored.dtype != wanted or stored.size != value.size or (constant.zero_points != 0).any():
        raise Rejected("off_model", f"variable {name}: tensor {constant.name!r} is not a symmetric {wanted.__name__}")
    if value.ndim > 1:
        value = np.moveaxis(value, -1, 0)
    channels = value.shape[0]
    steps = stored.astype(np.float64).reshape(channels, -1)
    value = value.reshape(channels, -1)
    scales = constant.scales.astype(np.float64)
    if scales.shape not in ((1,), (channels,)) or not np.isfinite(scales).all() or (scales <= 0).any():
        raise Rejected("off_model", f"variable {name}: tensor {constant.name!r} has no scale, or not one per channel")
    if len(scales) == channels and channels > 1 and constant.axis != 0:
        raise Rejected("off_model", f"variable {name}: tensor {constant.name!r} is scaled along axis {constant.axis}")
    error = np.abs(steps * scales[:, None] - value)
    if (error > scales[:, None] / 2 * SLACK + RESOLUTION).any():
        at = int(np.argmax(error.max(axis=1)))
        raise Rejected("off_model", f"variable {name}, channel {at}: off by {error[at].max():g}, more than half a step")
    if wanted is np.int8:
        _check_scales(name, value, steps, scales)


def _check_scales(
    name: str, value: NDArray[np.float64], steps: NDArray[np.float64], scales: NDArray[np.float64]
) -> None:
    """A step may not be coarser than the largest weight needs; a channel of zeros may have any."""
    largest = np.abs(value).max(axis=1) if len(scales) > 1 else np.abs(value).max(keepdims=True).ravel()
    idle = ~steps.any(axis=1) if len(scales) > 1 else ~steps.any(keepdims=True).ravel()
    coarse = (scales > largest / INT8_MOST * SLACK + RESOLUTION) & ~(idle & (largest == 0))
    if coarse.any():
        at = int(np.argmax(coarse))
        raise Rejected(
            "off_model", f"variable {name}, channel {at}: scale {scales[at]:g} is too coarse for its weights"
        )
