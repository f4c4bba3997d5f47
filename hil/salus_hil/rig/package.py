"""The suite's own task and releases: a small base with random weights, made from a seed in a moment.

Of no use for telling anything apart, but right in every respect that a wearable checks.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import msgspec
import numpy as np
from numpy.typing import NDArray

from salus_chain.proto.release_pb2 import Manifest, ReleaseMessage, SignedManifest
from salus_coordinator.model.device import write_base
from salus_coordinator.model.layers import layout, rows, window_shape
from salus_coordinator.model.manifest import Origin, base_manifest
from salus_coordinator.model.oracle import Oracle, arena_bytes, operators
from salus_coordinator.model.quantise import Quantised, Reference, activation_scales
from salus_edge.frontend import cut
from salus_edge.link.release_sender import Transfer, next_messages
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_edge.release import sign_manifest
from salus_edge.task import Task
from salus_hil.rig.identity import Identity

GOLDENS = 4
TASK = msgspec.convert(
    {
        "name": "rig",
        "title": "What the rig's suite runs",
        "channels": ["ax", "ay", "az"],
        "rate_hz": 50.0,
        "classes": ["still", "sway"],
        "window": {"samples": 64, "hop": 32},
        "frontend": [
            {"block": "filter", "parameters": {"sos": [[0.2, 0.4, 0.2, 1.0, -0.4, 0.2]]}},
            {"block": "magnitude", "parameters": {"groups": [[0, 1, 2]]}},
            {"block": "scale", "parameters": {"offset": [0.0, 0.0, 0.0, 0.5], "gain": [1.0, 1.0, 1.0, 2.0]}},
        ],
        "base": [
            {"layer": "conv", "filters": 8, "taps": 8, "stride": 2},
            {"layer": "conv", "filters": 16, "taps": 4, "stride": 2},
            {"layer": "average_pool"},
        ],
        "trunk": [],
        "feature": {"scale": 6 / 255, "zero_point": -128},
        "budget": {"flash_bytes": 65536, "arena_bytes": 32768, "macs": 1_000_000},
    },
    Task,
)


@dataclass(frozen=True, slots=True)
class Release:
    """A model and its unsigned manifest."""

    manifest: bytes
    model: bytes

    @property
    def version(self) -> int:
        return Manifest.FromString(self.manifest).version

    @property
    def sha256(self) -> bytes:
        return sha256(self.model).digest()

    def changed(self, **fields: object) -> Release:
        """The same with other values in the manifest; a repeated field is replaced, not added to."""
        manifest = Manifest.FromString(self.manifest)
        for name in fields:
            manifest.ClearField(name)  # type: ignore[arg-type]
        manifest.MergeFrom(Manifest(**fields))  # type: ignore[arg-type]
        return Release(manifest.SerializeToString(deterministic=True), self.model)

    def signed(self, identity: Identity) -> Transfer:
        """Ready to send, signed with the release key."""
        return Transfer(sign_manifest(self.manifest, identity.release), self.model)

    def unsigned(self) -> Transfer:
        """As a factory sends the first one."""
        return Transfer(SignedManifest(manifest=self.manifest).SerializeToString(deterministic=True), self.model)

    def oracle(self) -> Oracle:
        """The genuine TFLM with this model. Raises MissingTool where there is no wheel."""
        return Oracle(self.model)


def make_release(version: int, chain_id: bytes, task: Task = TASK) -> Release:
    """A release of the suite's task; another version has other weights. Raises MissingTool without TFLM."""
    rng, plan, table = np.random.default_rng([7, version]), layout(task), rows(task)
    flat = rng.normal(0.0, 0.3, plan.size).astype(np.float32)
    weights = {name: np.asarray(value, np.float32) for name, value in plan.split(flat).items()}
    windows = real_windows(task)
    reference = Reference(windows, np.arange(len(windows), dtype=np.int64) % len(task.classes))
    scales = activation_scales(task, table, weights, windows)
    base = [row for row in table if row.group == "base"]
    model = write_base(base, weights, scales, window_shape(task), f"salus {task.name} {version}")
    inputs = scales[0].quantise(windows[:GOLDENS])
    quantised = Quantised(
        model=model,
        input=scales[0],
        operators=tuple(operators(model)),
        arena_bytes=arena_bytes(model),
        golden_inputs=tuple(each.tobytes() for each in inputs),
        golden_features=tuple(each.tobytes() for each in Oracle(model).run(inputs)),
        float_accuracy=0.0,
        int8_accuracy=0.0,
    )
    origin = Origin(version, bytes(32), 0, chain_id=chain_id)
    return Release(base_manifest(task, plan, quantised, reference, bytes(32), origin), model)


def release_messages(transfer: Transfer, status: ReleaseStatus | None) -> list[bytes]:
    """As the gateway's sender, but chunks of a damaged model claim the manifest's: a gateway does not send such."""
    messages = [ReleaseMessage.FromString(each) for each in next_messages(transfer, status)]
    claimed = Manifest.FromString(SignedManifest.FromString(transfer.signed_manifest).manifest).sha256
    for message in messages:
        if message.HasField("chunk"):
            message.chunk.sha256 = claimed
    return [message.SerializeToString(deterministic=True) for message in messages]


def recording(seconds: float, seed: int = 1, task: Task = TASK) -> NDArray[np.float32]:
    """What a wrist measures, roughly: gravity that turns, bouts of shaking, noise; float32 (n, channels) in g."""
    rng = np.random.default_rng(seed)
    n, channels = round(seconds * task.rate_hz), len(task.channels)
    t = np.arange(n) / task.rate_hz
    tilt = np.cumsum(rng.normal(0.0, 0.02, (n, 1)), axis=0) + np.arange(channels)
    bouts = np.repeat(rng.random(n // 150 + 1) < 0.4, 150)[:n, None]
    shaking = bouts * 0.8 * np.sin(2 * np.pi * rng.uniform(1.0, 3.0, (1, channels)) * t[:, None])
    noise = rng.normal(0.0, 0.05, (n, channels))
    return np.asarray(np.cos(tilt) + shaking + noise, np.float32)


def real_windows(task: Task = TASK) -> NDArray[np.float32]:
    """The front end's windows of one such recording, float32 (windows, samples, channels)."""
    return cut(task, recording(60.0, 0, task), 0.0).windows
