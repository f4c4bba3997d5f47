"""A patient's labelled rows: what is trained on, and what is only scored."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from salus_edge.config import ArmConfig, Settings
from salus_edge.labels import NONE, REFERENCE, check_training_sources, join
from salus_edge.store import Database, features, labels, windows
from salus_edge.task import Task
from salus_edge.training.fit import Rows


def dequantise(values: NDArray[np.int8], task: Task) -> NDArray[np.float32]:
    """int8 features to float32, as the training program takes them."""
    return ((values.astype(np.float64) - task.feature.zero_point) * task.feature.scale).astype(np.float32)


def feature_rows(database: Database, settings: Settings, arm: ArmConfig, patient: str, base: bytes) -> Rows:
    """Features of one base with the labels that may train this arm."""
    check_training_sources(arm.labels)
    return _feature_rows(database, settings, patient, base, arm.labels)


def reference_rows(database: Database, settings: Settings, patient: str, base: bytes) -> Rows:
    """Features of one base with reference labels: never to be trained on."""
    return _feature_rows(database, settings, patient, base, (REFERENCE,))


def window_rows(database: Database, settings: Settings, arm: ArmConfig, patient: str) -> Rows:
    """Retained windows with the labels that may train this arm."""
    check_training_sources(arm.labels)
    found = windows.read(database, settings.store_key, patient)
    classes = _classes(database, settings, patient, found.start_ms, found.end_ms, arm.labels)
    kept = classes != NONE
    return Rows("calibration", found.values[kept] if len(found) else found.values, classes[kept])


def _feature_rows(database: Database, settings: Settings, patient: str, base: bytes, sources: Collection[str]) -> Rows:
    found = features.read(database, patient, base)
    classes = _classes(database, settings, patient, found.start_ms, found.end_ms, sources)
    kept = classes != NONE
    return Rows("feature", dequantise(found.values[kept], settings.package.task), classes[kept])


def _classes(
    database: Database,
    settings: Settings,
    patient: str,
    start_ms: NDArray[np.int64],
    end_ms: NDArray[np.int64],
    sources: Collection[str],
) -> NDArray[Any]:
    task = settings.package.task
    said = labels.read(database, patient, task.name)
    found = join(start_ms, end_ms, said, task.classes, sources, task.label_coverage)
    if REFERENCE not in sources:  # what scores a window must not train it, whoever else labelled it
        found[join(start_ms, end_ms, said, task.classes, (REFERENCE,), task.label_coverage) != NONE] = NONE
    return found
