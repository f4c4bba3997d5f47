"""The unsigned manifest of a base release: what a wearable checks before it swaps."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from salus_chain.layout import Layout
from salus_chain.proto import release_pb2 as pb
from salus_coordinator.model.layers import features, window_shape
from salus_coordinator.model.quantise import Quantised, Reference, feature_scale
from salus_coordinator.model.template import personal_template
from salus_edge.frontend.pipeline import manifest_frontend
from salus_edge.task import Task


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a release's weights come from: the settled model, its round (0: the approved first one), the
    release before.
    """

    version: int
    settled_model_digest: bytes
    settled_round: int
    parent_sha256: bytes = b""
    chain_id: bytes = b""


def base_manifest(
    task: Task,
    layout: Layout,
    quantised: Quantised,
    reference: Reference,
    program_sha256: bytes,
    origin: Origin,
) -> bytes:
    """A serialised `salus.release.v1.Manifest` of kind BASE, deterministic."""
    frontend = manifest_frontend(task)
    feature = feature_scale(task)
    manifest = pb.Manifest(
        task=task.name,
        version=origin.version,
        kind=pb.Manifest.BASE,
        signer_role=pb.Manifest.RELEASE_KEY,
        parent_sha256=origin.parent_sha256,
        sha256=sha256(quantised.model).digest(),
        size_bytes=len(quantised.model),
        arena_bytes=quantised.arena_bytes,
        flash_bytes=len(quantised.model),
        input=pb.Quantisation(
            scale=quantised.input.scale, zero_point=quantised.input.zero_point, shape=window_shape(task)
        ),
        output=pb.Quantisation(scale=feature.scale, zero_point=feature.zero_point, shape=[features(task)]),
        golden_inputs=quantised.golden_inputs,
        goldens=[pb.Golden(name="feature", outputs=quantised.golden_features)],
        settled_model_digest=origin.settled_model_digest,
        settled_round=origin.settled_round,
        frontend_sha256=sha256(frontend.SerializeToString(deterministic=True)).digest(),
        frontend=frontend,
        reference_set_sha256=reference_digest(reference),
        program_sha256=program_sha256,
        tensors=[pb.Tensor(variable=name, tensor=name) for name in layout.names(["base"])],
        chain_id=origin.chain_id,
        personal_template=personal_template(task).message,
    )
    return manifest.SerializeToString(deterministic=True)


def reference_digest(reference: Reference) -> bytes:
    """SHA-256 over windows (float32 LE) and labels (int64 LE)."""
    windows: NDArray[np.float32] = np.ascontiguousarray(reference.windows, "<f4")
    return sha256(windows.tobytes() + np.ascontiguousarray(reference.labels, "<i8").tobytes()).digest()
