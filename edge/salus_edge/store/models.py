"""Settled models, releases, patients' own variables, and predictions."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from salus_chain.fixed import Int32s, to_float
from salus_edge.store.database import Database

Floats = NDArray[np.float32]
Role = Literal["round", "predict"]  # what a schedule carries from round to round; what predictions are made with


@dataclass(frozen=True, slots=True, eq=False)
class SettledModel:
    """The shared model that goes with a base: float32 (D,), its digest on chain, the round that settled it
    (0: none).
    """

    round: int
    digest: bytes
    flat: Floats


@dataclass(frozen=True, slots=True)
class StoredRelease:
    """An approved release: `base` is the SHA-256 of `model`, an int8 .tflite; `manifest` the one that was
    signed.
    """

    version: int
    base: bytes
    manifest: bytes
    signed_manifest: bytes
    model: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Personal:
    """A patient's own variables of `groups` (joined by commas), float32; used for predictions when `valid`.

    `round` settled the shared variables that they were fitted to.
    """

    groups: str
    values: Floats
    valid: bool
    round: int
    rows: int


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the decoder said of one window."""

    start_ms: int
    end_ms: int
    label: int
    probability: float
    personal: bool
    historical: bool


def put_model(database: Database, arm: str, base: bytes, round: int, digest: bytes, values: Int32s) -> None:
    """The model from now on of this arm and base."""
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT OR REPLACE INTO models VALUES (?, ?, ?, ?, ?)",
            (arm, base, round, digest, values.astype("<i4").tobytes()),
        )


def model(database: Database, arm: str, base: bytes) -> SettledModel | None:
    """The model of this arm and base, if one was settled or released."""
    found = database.row("SELECT round, digest, content FROM models WHERE arm = ? AND base = ?", (arm, base))
    if found is None:
        return None
    return SettledModel(int(found[0]), bytes(found[1]), _floats(found[2]))


def holds(database: Database, digest: bytes) -> bool:
    """Whether a model of this digest was settled or released, for whatever arm and base."""
    return database.row("SELECT 1 FROM models WHERE digest = ? LIMIT 1", (digest,)) is not None


def put_release(database: Database, task: str, release: StoredRelease, weights: Int32s, height: int) -> None:
    """Keep a release, made from settled `weights` (D,); one of the same version stays as it was."""
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT OR IGNORE INTO releases VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                task,
                release.version,
                release.base,
                release.manifest,
                release.signed_manifest,
                release.model,
                weights.astype("<i4").tobytes(),
                height,
            ),
        )


def releases(database: Database, task: str) -> tuple[StoredRelease, ...]:
    """All releases of a task, oldest first."""
    found = database.rows(
        "SELECT version, base, manifest, signed_manifest, model FROM releases WHERE task = ? ORDER BY version",
        (task,),
    )
    return tuple(StoredRelease(*row) for row in found)


def released_weights(database: Database, task: str, base: bytes) -> Floats | None:
    """The settled model float32 (D,) that the newest release with this base was made from."""
    found = database.row(
        "SELECT weights FROM releases WHERE task = ? AND base = ? ORDER BY version DESC LIMIT 1", (task, base)
    )
    return None if found is None else _floats(found[0])


def put_personal(database: Database, patient: str, arm: str, base: bytes, role: Role, personal: Personal) -> None:
    """A patient's own variables from now on, for this use."""
    with database.transaction() as cursor:
        values = personal.values.astype("<f4").tobytes()
        row = (
            patient,
            arm,
            base,
            role,
            personal.groups,
            values,
            int(personal.valid),
            personal.round,
            personal.rows,
        )
        cursor.execute("INSERT OR REPLACE INTO personal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)


def personal(database: Database, patient: str, arm: str, base: bytes, role: Role) -> Personal | None:
    """A patient's own variables for this arm, base and use."""
    found = database.row(
        "SELECT groups, content, valid, round, rows FROM personal "
        "WHERE patient = ? AND arm = ? AND base = ? AND role = ?",
        (patient, arm, base, role),
    )
    if found is None:
        return None
    values = np.frombuffer(found[1], "<f4").astype(np.float32)
    return Personal(str(found[0]), values, bool(found[2]), int(found[3]), int(found[4]))


def add_predictions(
    cursor: sqlite3.Connection, patient: str, arm: str, base: bytes, predictions: Sequence[Prediction]
) -> None:
    """Keep predictions; the first one of a window stays."""
    cursor.executemany(
        "INSERT OR IGNORE INTO predictions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                patient,
                arm,
                base,
                p.start_ms,
                p.end_ms,
                p.label,
                p.probability,
                int(p.personal),
                int(p.historical),
            )
            for p in predictions
        ],
    )


def _floats(fixed: bytes) -> Floats:
    return to_float(np.frombuffer(fixed, "<i4").astype(np.int32))
