"""Calibration windows, each sealed with AES-256-GCM under the store key, and forgotten after the retention
limit.
"""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from typing import Final

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from salus_edge.errors import ConfigError
from salus_edge.store.database import Database

NONCE_BYTES: Final = 12


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Windows of one patient by time: `start_ms`, `end_ms` int64 (n,), `values` float32 (n, samples,
    channels).
    """

    start_ms: NDArray[np.int64]
    end_ms: NDArray[np.int64]
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.start_ms)


def add(
    cursor: sqlite3.Connection, key: bytes, patient: str, windows: Windows, consent: bytes, received_ms: int
) -> None:
    """Seal and keep windows; one of the same patient and start stays as it was."""
    cipher = AESGCM(key)
    for start, end, values in zip(windows.start_ms, windows.end_ms, windows.values, strict=True):
        nonce = os.urandom(NONCE_BYTES)  # random: below 2^32 windows under one key, NIST SP 800-38D section 8.3
        sealed = cipher.encrypt(nonce, np.ascontiguousarray(values, "<f4").tobytes(), _where(patient, int(start)))
        cursor.execute(
            "INSERT OR IGNORE INTO windows VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (patient, int(start), int(end), *values.shape, nonce, sealed, consent, received_ms),
        )


def read(database: Database, key: bytes, patient: str, lacking: bytes | None = None) -> Windows:
    """All windows of a patient, or those without a feature of the base `lacking`.

    Raises ConfigError: the store key is another than they were sealed with.
    """
    rows = database.rows(
        "SELECT start_ms, end_ms, samples, channels, nonce, sealed FROM windows "
        "WHERE patient = ?1 AND (?2 IS NULL OR start_ms NOT IN "
        "(SELECT start_ms FROM features WHERE patient = ?1 AND base = ?2)) ORDER BY start_ms",
        (patient, lacking),
    )
    cipher, values = AESGCM(key), []
    for start, _, samples, channels, nonce, sealed in rows:
        try:
            plain = cipher.decrypt(nonce, sealed, _where(patient, start))
        except InvalidTag:
            raise ConfigError(f"store_key: does not open the windows in {database.path}; restore the key") from None
        values.append(np.frombuffer(plain, "<f4").astype(np.float32).reshape(samples, channels))
    return Windows(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.stack(values) if values else np.empty((0, 0, 0), np.float32),
    )


def count(database: Database, patient: str) -> int:
    """How many windows of a patient are kept."""
    found = database.row("SELECT COUNT(*) FROM windows WHERE patient = ?", (patient,))
    return 0 if found is None else int(found[0])


def forget(database: Database, before_ms: int) -> int:
    """Delete the windows received before `before_ms`; how many those were."""
    with database.transaction() as cursor:
        return cursor.execute("DELETE FROM windows WHERE received_ms < ?", (before_ms,)).rowcount


def forget_patient(database: Database, patient: str, but_consent: bytes) -> int:
    """Delete a patient's windows that came under another consent than `but_consent`; how many those were."""
    with database.transaction() as cursor:
        found = cursor.execute("DELETE FROM windows WHERE patient = ? AND consent != ?", (patient, but_consent))
        return found.rowcount


def _where(patient: str, start_ms: int) -> bytes:
    """Binds a sealed window to its row."""
    return f"{patient}\0{start_ms}".encode()
