"""Predictions as features come in: the patient's own head where it is valid, else the settled one, then the
decoder.
"""

from __future__ import annotations

import threading
from typing import Final

from salus_edge import bases, decoder
from salus_edge.config import ArmConfig, Settings
from salus_edge.personal import compose
from salus_edge.rows import dequantise
from salus_edge.store import Database, features, models
from salus_edge.store.features import Features
from salus_edge.store.models import Prediction
from salus_edge.training.program import Floats, TrainingProgram

HISTORICAL_MS: Final = 60_000  # older than this on arrival, a window raises no alarm


def weights(database: Database, settings: Settings, arm: ArmConfig, patient: str, base: bytes) -> tuple[Floats, bool]:
    """A patient's model of an arm and base, float32 (D,), and whether her own variables are in it."""
    shared = bases.shared(database, settings, arm, base).flat
    own = models.personal(database, patient, arm.task, base, "predict")
    if own is None or not own.valid:
        return shared, False
    return compose(settings.package.layout, shared, own), True


class Predictor:
    """The main arm's predictions. Keeps each patient's weights until `forget`, and her decoder's memory."""

    def __init__(self, settings: Settings, database: Database) -> None:
        package = settings.package
        self._settings, self._database = settings, database
        self._program = TrainingProgram(package.program, package.layout, package.task.batch)
        self._weights: dict[tuple[str, bytes], tuple[Floats, bool]] = {}
        self._states: dict[str, decoder.State] = {}
        self._lock = threading.Lock()

    @property
    def window_shape(self) -> tuple[int, ...]:
        return self._program.window_shape

    @property
    def features_per_window(self) -> int:
        return self._program.features_per_window

    def forget(self) -> None:
        """Read the weights anew: a model was settled, released or refitted."""
        with self._lock:
            self._weights.clear()

    def predict(self, patient: str, base: bytes, found: Features, now_ms: int) -> tuple[Prediction, ...]:
        """Predict features of the current base, by time, and store that."""
        if not len(found):
            return ()
        arm = self._settings.arms[0]
        with self._lock:
            flat, personal = self._weights_of(arm, patient, base)
            self._program.load(flat)
            logits = self._program.predict_features(dequantise(found.values, self._settings.package.task))
            state, made = self._states.get(patient, decoder.State()), []
            for start, end, row in zip(found.start_ms.tolist(), found.end_ms.tolist(), logits, strict=True):
                state, said = decoder.step(state, row, start, 2 * (end - start), self._settings.confirm)
                late = now_ms - end > HISTORICAL_MS
                made.append(Prediction(start, end, said.label, said.probability, personal, late))
            self._states[patient] = state
        with self._database.transaction() as cursor:
            models.add_predictions(cursor, patient, arm.task, base, made)
        return tuple(made)

    def catch_up(self, now_ms: int) -> int:
        """Predict what was stored and acknowledged before this process could predict it; how many windows."""
        arm = self._settings.arms[0].task
        base = bases.current(self._database, self._settings, arm).base
        return sum(
            len(self.predict(each.patient, base, features.unpredicted(self._database, each.patient, base, arm), now_ms))
            for each in self._settings.patients
        )

    def _weights_of(self, arm: ArmConfig, patient: str, base: bytes) -> tuple[Floats, bool]:
        key = (patient, base)
        if key not in self._weights:
            self._weights[key] = weights(self._database, self._settings, arm, patient, base)
        return self._weights[key]
