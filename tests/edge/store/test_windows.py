from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from salus_edge.errors import ConfigError
from salus_edge.store import Database, windows
from salus_edge.store.windows import Windows
from tests.edge.house import consent, motion

KEY, OTHER = bytes(range(32)), bytes(32)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "s.sqlite")


def some(count: int = 3, start: int = 0) -> Windows:
    begin = (start + np.arange(count, dtype=np.int64)) * 1_000
    return Windows(begin, begin + 1_000, motion(2, count, np.random.default_rng(start)))


def keep(database: Database, kept: Windows, received_ms: int = 0, number: int = 0) -> None:
    with database.transaction() as cursor:
        windows.add(cursor, KEY, "p0", kept, consent(number), received_ms)


def test_windows_come_back_as_they_were(database: Database) -> None:
    keep(database, some())
    found = windows.read(database, KEY, "p0")
    assert found.values.tobytes() == some().values.tobytes()
    assert found.start_ms.tolist() == [0, 1_000, 2_000]
    assert len(windows.read(database, KEY, "p1")) == 0


def test_a_window_stays_as_it_came_first(database: Database) -> None:
    keep(database, some())
    keep(database, Windows(some().start_ms, some().end_ms, some().values + 1))
    assert windows.read(database, KEY, "p0").values.tobytes() == some().values.tobytes()


def test_no_window_is_on_disk_in_the_clear(database: Database, tmp_path: Path) -> None:
    keep(database, some())
    database.close()
    disk = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for window in some().values:
        assert window.tobytes()[:16] not in disk


def test_another_store_key_opens_nothing(database: Database) -> None:
    keep(database, some())
    with pytest.raises(ConfigError, match="store_key"):
        windows.read(database, OTHER, "p0")


def test_a_window_moved_to_another_patient_does_not_open(database: Database) -> None:
    keep(database, some())
    with database.transaction() as cursor:
        cursor.execute("UPDATE windows SET patient = 'p1'")
    with pytest.raises(ConfigError, match="store_key"):
        windows.read(database, KEY, "p1")


def test_windows_are_forgotten_after_their_time(database: Database) -> None:
    keep(database, some(2), received_ms=100)
    keep(database, some(2, start=10), received_ms=200)
    assert windows.forget(database, before_ms=200) == 2
    assert windows.read(database, KEY, "p0").start_ms.tolist() == [10_000, 11_000]


def test_windows_are_forgotten_with_their_consent(database: Database) -> None:
    keep(database, some(2), number=0)
    keep(database, some(2, start=10), number=1)
    assert windows.forget_patient(database, "p0", consent(1)) == 2
    assert windows.forget_patient(database, "p0", b"") == 2
    assert windows.count(database, "p0") == 0
