"""From a patient's float weights to a signed personal release: integers, the coordinator's template, no converter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_chain.keys import Signer
from salus_chain.layout import Layout
from salus_chain.proto import release_pb2 as pb
from salus_edge.link.release_sender import Transfer
from salus_edge.personal_release.dense import Dense, Floats, Quantisation, run
from salus_edge.personal_release.template import fill
from salus_edge.signed import sign_manifest
from salus_edge.task import Task

HEAD_STEP: Final = 4  # a head's units are padded to a multiple: ESP-NN is wrong for 2 outputs
GOLDENS: Final = 4
LEAST_RANGE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """When the wearable raises an alarm by itself: `threshold` of the mean probability over `confirm` windows."""

    classes: tuple[int, ...]
    threshold: float
    refractory_ms: int
    confirm: int = 1


@dataclass(frozen=True, slots=True)
class DenseRow:
    """A dense layer as it stands in the template, with `units` padded."""

    name: str
    units: int
    relu: bool


def dense_rows(task: Task) -> tuple[DenseRow, ...]:
    """Trunk and head. The head's first units are the task's classes, the others pad it."""
    trunk = tuple(DenseRow(f"trunk{index}", layer.units, layer.relu) for index, layer in enumerate(task.trunk))
    return (*trunk, DenseRow("head", -(-len(task.classes) // HEAD_STEP) * HEAD_STEP, False))


def quantise_layers(task: Task, layout: Layout, flat: Floats, features: NDArray[np.int8]) -> tuple[Dense, ...]:
    """Trunk and head of weights (D,); int8 `features` (n, F) of the patient set the ranges between them."""
    weights = layout.split(flat)
    here = Quantisation(float(np.float32(task.feature.scale)), task.feature.zero_point)
    x = here.dequantise(features)
    layers: list[Dense] = []
    for row in dense_rows(task):
        kernel = np.asarray(weights[f"{row.name}/kernel"], np.float32)
        bias = np.asarray(weights[f"{row.name}/bias"], np.float32)
        x = np.asarray(x @ kernel + bias, np.float32)
        x = np.maximum(x, 0) if row.relu else x
        after = _range(x, row.relu)
        layers.append(Dense.quantise(row.name, kernel, bias, here, after, row.relu, row.units))
        here = after
    return tuple(layers)


def regions(layers: tuple[Dense, ...]) -> Mapping[str, bytes]:
    """What fills the template's regions, by name, little endian."""
    found: dict[str, bytes] = {}
    for layer in layers:
        found[f"{layer.name}/kernel"] = layer.kernel.tobytes()
        found[f"{layer.name}/kernel:scale"] = _float(layer.kernel_scale)
        found[f"{layer.name}/bias"] = layer.bias.astype("<i4").tobytes()
        found[f"{layer.name}/bias:scale"] = _float(layer.bias_scale)
        found[f"{layer.name}/out:scale"] = _float(layer.output.scale)
    return found


def build_personal(
    task: Task,
    layout: Layout,
    flat: Floats,
    features: NDArray[np.int8],
    base: pb.Manifest,
    template: bytes,
    rule: AlarmRule,
    version: int,
    chain_id: bytes,
    signer: Signer,
) -> Transfer:
    """A personal release for the wearable whose active base is `base`.

    `flat` float32 (D,) holds the patient's variables in place of the shared ones; int8 `features` (n >= 1, F) are
    hers. Raises Refused `other_template`: the template does not fit the task's layers.
    """
    layers = quantise_layers(task, layout, flat, features)
    model = fill(base.personal_template, template, regions(layers))
    inputs = _golden_inputs(features)
    output = layers[-1].output
    manifest = pb.Manifest(
        task=task.name,
        version=version,
        kind=pb.Manifest.PERSONAL,
        signer_role=pb.Manifest.GATEWAY_KEY,
        parent_sha256=base.sha256,
        sha256=sha256(model).digest(),
        size_bytes=len(model),
        arena_bytes=base.personal_template.arena_bytes,
        flash_bytes=len(model),
        input=pb.Quantisation(scale=base.output.scale, zero_point=base.output.zero_point, shape=[features.shape[1]]),
        output=pb.Quantisation(scale=output.scale, zero_point=output.zero_point, shape=[len(layers[-1].bias)]),
        golden_inputs=[each.tobytes() for each in inputs],
        goldens=[pb.Golden(name="logits", outputs=[each.tobytes() for each in run(layers, inputs)])],
        chain_id=chain_id,
        decision=pb.Decision(
            classes=len(task.classes),
            alarm_classes=rule.classes,
            confirm_windows=rule.confirm,
            threshold=rule.threshold,
            refractory_ms=rule.refractory_ms,
        ),
    )
    return Transfer(sign_manifest(manifest.SerializeToString(deterministic=True), signer), model)


def _range(x: Floats, relu: bool) -> Quantisation:
    """After a ReLU from 0 to the largest value seen, else as far both ways; what is beyond saturates."""
    largest = max(float(np.abs(x).max(initial=0.0)), LEAST_RANGE)
    return Quantisation(float(np.float32(largest / 255.0)), -128) if relu else _symmetric(largest)


def _symmetric(largest: float) -> Quantisation:
    return Quantisation(float(np.float32(largest / 127.0)), 0)


def _golden_inputs(features: NDArray[np.int8]) -> NDArray[np.int8]:
    """Some of the patient's, evenly over time, and the two extremes, at which sums are largest."""
    chosen = features[np.linspace(0, len(features) - 1, GOLDENS).astype(np.int64)]
    extremes = np.array([[-128], [127]], np.int8).repeat(features.shape[1], axis=1)
    return np.ascontiguousarray(np.concatenate([chosen, extremes]))


def _float(value: float | np.float32) -> bytes:
    return np.asarray(value, "<f4").tobytes()
