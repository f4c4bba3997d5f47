"""Labels as they came; a later one of the same device and id replaces the earlier."""

from __future__ import annotations

import sqlite3

from salus_edge.labels import Interval
from salus_edge.link.messages import Label
from salus_edge.store.database import Database


def add(cursor: sqlite3.Connection, device: str, patient: str, label: Label) -> None:
    """Keep a label, the latest to arrive."""
    cursor.execute(
        "INSERT OR REPLACE INTO labels "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, (SELECT COALESCE(MAX(arrival), 0) + 1 FROM labels))",
        (device, label.id, patient, label.task, label.start_ms, label.end_ms, label.label, label.source),
    )


def read(database: Database, patient: str, task: str) -> tuple[Interval, ...]:
    """A patient's labels of a task in the order of arrival."""
    rows = database.rows(
        "SELECT start_ms, end_ms, label, source FROM labels WHERE patient = ? AND task = ? ORDER BY arrival",
        (patient, task),
    )
    return tuple(Interval(int(row[0]), int(row[1]), str(row[2]), str(row[3])) for row in rows)
