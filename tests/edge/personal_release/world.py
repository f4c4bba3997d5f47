"""Tasks and weights for tests of personal releases."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from salus_chain.proto.release_pb2 import Manifest, Quantisation
from salus_coordinator.model.layers import features, initial, layout
from salus_coordinator.model.template import PersonalTemplate
from salus_edge.personal_release.dense import Floats
from salus_edge.task import Layer, Task, load_task

TASKS = Path(__file__).parents[3] / "coordinator" / "salus_coordinator" / "tasks"
CHAIN_ID = bytes(range(32))


def task(name: str, trunk: tuple[Layer, ...] | None = None) -> Task:
    found = load_task(TASKS / f"{name}.toml")
    return found if trunk is None else msgspec.structs.replace(found, trunk=list(trunk))


def weights(of: Task, seed: int) -> Floats:
    """Weights (D,) with biases that count."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 0.1, layout(of).size)
    return np.asarray(initial(of, rng) * rng.choice([0.3, 1.0, 3.0]) + noise, np.float32)


def some_features(of: Task, seed: int, count: int = 60) -> NDArray[np.int8]:
    return np.random.default_rng(seed).integers(-128, 128, (count, features(of))).astype(np.int8)


def base_manifest(of: Task, template: PersonalTemplate) -> Manifest:
    """As much of a base's manifest as a personal release is checked against."""
    return Manifest(
        task=of.name,
        version=3,
        sha256=b"b" * 32,
        output=Quantisation(scale=of.feature.scale, zero_point=of.feature.zero_point, shape=[features(of)]),
        personal_template=template.message,
    )
