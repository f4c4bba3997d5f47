"""Features by the base that made them; those of two bases never meet in one array."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from salus_edge.store.database import Database, Row


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Features of one patient and base, by time: `start_ms`, `end_ms` int64 (n,), `values` int8 (n, F)."""

    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    values: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.start_ms)


def add(
    cursor: sqlite3.Connection,
    patient: str,
    base: bytes,
    version: int,
    features: Features,
    aux: Sequence[bytes],
    origin: str,
) -> None:
    """Keep features. One of the same patient, base and start stays, but the device's own replaces one made here."""
    cursor.executemany(
        "INSERT INTO features VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET end_ms = excluded.end_ms,"
        " model_version = excluded.model_version, content = excluded.content, aux = excluded.aux,"
        " origin = excluded.origin WHERE excluded.origin = 'device' AND origin != 'device'",
        [
            (patient, base, int(start), int(end), version, values.tobytes(), extra, origin)
            for start, end, values, extra in zip(features.start_ms, features.end_ms, features.values, aux, strict=True)
        ],
    )


def read(database: Database, patient: str, base: bytes, since_ms: int = 0) -> Features:
    """All features of one patient and base from `since_ms` on."""
    return _features(
        database.rows(
            "SELECT start_ms, end_ms, content FROM features"
            " WHERE patient = ? AND base = ? AND start_ms >= ? ORDER BY start_ms",
            (patient, base, since_ms),
        )
    )


def unpredicted(database: Database, patient: str, base: bytes, arm: str) -> Features:
    """What a wearable sent of this base that has no prediction of this arm."""
    return _features(
        database.rows(
            "SELECT start_ms, end_ms, content FROM features AS f"
            " WHERE patient = ? AND base = ? AND origin = 'device' AND NOT EXISTS (SELECT 1 FROM predictions AS p"
            " WHERE p.patient = f.patient AND p.arm = ? AND p.base = f.base AND p.start_ms = f.start_ms)"
            " ORDER BY start_ms",
            (patient, base, arm),
        )
    )


def count(database: Database, patient: str) -> int:
    """How many features of all bases are stored."""
    found = database.row("SELECT COUNT(*) FROM features WHERE patient = ?", (patient,))
    return 0 if found is None else int(found[0])


def _features(rows: Sequence[Row]) -> Features:
    return Features(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([np.frombuffer(row[2], np.int8) for row in rows], np.int8).reshape(len(rows), -1)
        if rows
        else np.empty((0, 0), np.int8),
    )
