"""Windows lie sealed on the disk, and are forgotten in time."""

from __future__ import annotations

import numpy as np
import pytest

from salus_edge.config import Settings
from salus_edge.errors import ConfigError
from salus_edge.store import Database, windows
from salus_edge.store.windows import Windows
from tests.edge.world import CONSENT

RAW = Windows(np.array([5, 7]), np.array([6, 8]), np.arange(12, dtype=np.float32).reshape(2, 3, 2))


def add(database: Database, settings: Settings, received_ms: int) -> None:
    with database.transaction() as cursor:
        windows.add(cursor, settings.store_key, "anna", RAW, CONSENT, received_ms)


def test_they_read_back_and_come_once(settings: Settings, database: Database) -> None:
    add(database, settings, 1)
    add(database, settings, 2)
    found = windows.read(database, settings.store_key, "anna")
    assert found.start_ms.tolist() == [5, 7]
    assert np.array_equal(found.values, RAW.values)
    assert len(windows.read(database, settings.store_key, "bert")) == 0


def test_no_plaintext_is_on_the_disk(settings: Settings, database: Database) -> None:
    add(database, settings, 1)
    files = settings.store.parent.glob("gateway.sqlite*")
    assert not any(RAW.values[0].tobytes() in file.read_bytes() for file in files)


def test_another_key_does_not_open_them(settings: Settings, database: Database) -> None:
    add(database, settings, 1)
    with pytest.raises(ConfigError, match="store_key"):
        windows.read(database, bytes(32), "anna")


def test_they_are_forgotten_after_their_time_or_consent(settings: Settings, database: Database) -> None:
    add(database, settings, 10)
    assert windows.forget(database, 10) == 0
    assert windows.forget(database, 11) == 2
    add(database, settings, 10)
    assert windows.forget_patient(database, "anna", CONSENT) == 0
    assert windows.forget_patient(database, "anna", b"") == 2
