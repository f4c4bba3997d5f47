"""Whose feature of a window counts: the device's own, whichever came first."""

from __future__ import annotations

import numpy as np

from salus_edge.store import Database, features
from salus_edge.store.features import Features

BASE = bytes(32)


def keep(database: Database, value: int, origin: str) -> None:
    made = Features(np.array([1000], np.int64), np.array([2000], np.int64), np.full((1, 4), value, np.int8))
    with database.transaction() as cursor:
        features.add(cursor, "anna", BASE, 1, made, [b""], origin)


def kept(database: Database) -> tuple[int, str]:
    (row,) = database.rows("SELECT content, origin FROM features")
    return row[0][0], row[1]


def test_the_devices_own_replaces_one_that_was_recomputed_here(database: Database) -> None:
    keep(database, 1, "window")
    keep(database, 2, "device")
    assert kept(database) == (2, "device")


def test_the_devices_own_stays(database: Database) -> None:
    keep(database, 2, "device")
    keep(database, 3, "device")
    keep(database, 1, "window")
    assert kept(database) == (2, "device")


def test_what_only_was_recomputed_waits_for_no_prediction(database: Database) -> None:
    keep(database, 1, "window")
    assert len(features.unpredicted(database, "anna", BASE, "wave")) == 0
    keep(database, 2, "device")
    assert len(features.unpredicted(database, "anna", BASE, "wave")) == 1
