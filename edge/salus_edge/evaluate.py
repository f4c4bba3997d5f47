"""Scoring each patient's models on her reference labels, from the store alone: nothing is trained on
those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_edge import bases
from salus_edge.config import ArmConfig, Patient, Settings
from salus_edge.learner import Learner
from salus_edge.predictor import weights
from salus_edge.rows import feature_rows, reference_rows
from salus_edge.store import Database, models, rounds
from salus_edge.training.fit import Rows, fit, logits
from salus_edge.training.schedules import SCHEDULES, Parameters, Phase

RELEASE: Final = "release"
LOCAL: Final = "local"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Score:
    """How one model of one patient does on `windows` reference windows.

    `arm` is a task id, `release` (the released model as it is) or `local` (that, trained on her own labels
    alone).
    """

    patient: str
    arm: str
    algorithm: str
    labels: tuple[str, ...]
    accuracy: float
    macro_f1: float
    windows: int
    train_windows: int


def evaluate(settings: Settings, database: Database) -> tuple[Score, ...]:
    """All scores, by patient; a patient without reference windows has none. Raises ProgramError."""
    learner = Learner(settings, database)
    return tuple(score for patient in settings.patients for score in _patient(learner, patient))


def macro_f1(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """The mean F1 of the classes that occur in `labels`, 0 to 1."""
    scores = []
    for each in np.unique(labels):
        hits = int(((labels == each) & (predicted == each)).sum())
        both = int((labels == each).sum()) + int((predicted == each).sum())
        scores.append(2 * hits / both)
    return float(np.mean(scores)) if scores else 0.0


def scoring_base(settings: Settings, database: Database, patient: str) -> bytes | None:
    """The newest of the main task's bases for which the patient has reference windows."""
    for release in reversed(bases.known(database, settings, settings.arms[0].task)):
        bases.fill(database, settings, patient, release.base)
        if len(reference_rows(database, settings, patient, release.base)):
            return release.base
    return None


def _patient(learner: Learner, patient: Patient) -> Iterator[Score]:
    settings, database = learner.settings, learner.database
    base = scoring_base(settings, database, patient.patient)
    if base is None:
        return
    seen = reference_rows(database, settings, patient.patient, base)
    released = _released(learner, base)
    yield _score(learner, patient, RELEASE, RELEASE, (), released, seen, 0)
    for arm in _label_sets(settings):
        own = feature_rows(database, settings, arm, patient.patient, base)
        flat = _train_alone(learner, arm, patient.patient, released, own)
        yield _score(learner, patient, LOCAL, LOCAL, arm.labels, flat, seen, len(own))
    for arm in settings.arms:
        own = feature_rows(database, settings, arm, patient.patient, base)
        if learner.stale(arm, patient.patient, base):
            learner.refit_patient(arm, patient.patient, base)
        flat, _ = weights(database, settings, arm, patient.patient, base)
        latest = rounds.latest(database, arm.task, "feature")
        algorithm = latest.key.algorithm if latest else RELEASE
        yield _score(learner, patient, arm.task, algorithm, arm.labels, flat, seen, len(own))


def _score(
    learner: Learner,
    patient: Patient,
    arm: str,
    algorithm: str,
    labels: tuple[str, ...],
    flat: Floats,
    seen: Rows,
    trained: int,
) -> Score:
    predicted = logits(learner.program, flat, seen).argmax(axis=1)
    right = float((predicted == seen.labels).mean())
    return Score(
        patient.patient,
        arm,
        algorithm,
        labels,
        right,
        macro_f1(seen.labels, predicted),
        len(seen),
        trained,
    )


def _released(learner: Learner, base: bytes) -> Floats:
    """The model that the base was released with: what a patient has who gave no label."""
    settings = learner.settings
    found = models.released_weights(learner.database, settings.arms[0].task, base)
    return settings.package.model if found is None else found


def _label_sets(settings: Settings) -> tuple[ArmConfig, ...]:
    """One arm of each set of label sources."""
    found: dict[tuple[str, ...], ArmConfig] = {}
    for arm in settings.arms:
        found.setdefault(arm.labels, arm)
    return tuple(found.values())


def _train_alone(learner: Learner, arm: ArmConfig, patient: str, start: Floats, rows: Rows) -> Floats:
    """Trunk and head on her own labels alone, for as long as the arm's feature rounds trained them
    together.
    """
    done = [each for each in rounds.records(learner.database, arm.task) if each.key.kind == "feature"]
    if not len(rows):
        return start
    parameters = done[-1].key.parameters if done else Parameters()
    phases: tuple[Phase, ...] = SCHEDULES[LOCAL].phases(parameters) * max(1, len(done))
    rng = np.random.default_rng(int.from_bytes(sha256(f"local {arm.task} {patient}".encode()).digest()[:8], "big"))
    return fit(learner.program, phases, start, start, rows, rng).flat


__all__ = ["LOCAL", "RELEASE", "Score", "evaluate", "macro_f1", "scoring_base"]
