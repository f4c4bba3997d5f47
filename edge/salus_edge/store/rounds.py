"""Rounds as this gateway lived them, with the update bytes that it may send, and only those."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Literal

from salus_edge.store.database import Database
from salus_edge.training.schedules import Kind, Parameters

Status = Literal["trained", "committed", "settled", "expired", "sat_out"]


@dataclass(frozen=True, slots=True)
class RoundKey:
    """A round of an arm, with what its training needs; `base` is the SHA-256 of the int8 base."""

    arm: str
    round: int
    kind: Kind
    base: bytes
    algorithm: str
    parameters: Parameters
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """What became of it here. `file` is the update, None when the gateway sat out."""

    key: RoundKey
    status: Status
    file: bytes | None
    weight: int
    loss: float
    reason: str


_COLUMNS = "arm, round, kind, base, algorithm, parameters, deadline_ms, status, file, weight, loss, reason"


def put_update(database: Database, key: RoundKey, file: bytes, digest: bytes, weight: int, loss: float) -> bytes:
    """Make an update durable; the bytes to send: those of the first call for this round, whatever came
    later.
    """
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM rounds WHERE arm = ? AND round = ? AND file IS NULL", (key.arm, key.round))
        cursor.execute(
            "INSERT OR IGNORE INTO rounds VALUES (?, ?, ?, ?, ?, ?, ?, 'trained', ?, ?, ?, ?, '')",
            (*_key_row(key), file, digest, weight, loss),
        )
        kept = cursor.execute("SELECT file FROM rounds WHERE arm = ? AND round = ?", (key.arm, key.round)).fetchone()
    return bytes(kept[0])


def sit_out(database: Database, key: RoundKey, reason: str) -> None:
    """Write down that the gateway takes no part; an update that exists stays."""
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT OR IGNORE INTO rounds VALUES (?, ?, ?, ?, ?, ?, ?, 'sat_out', NULL, NULL, 0, 0, ?)",
            (*_key_row(key), reason),
        )


def set_status(database: Database, arm: str, round: int, status: Status, reason: str = "") -> None:
    """What happened to the round since."""
    with database.transaction() as cursor:
        cursor.execute(
            "UPDATE rounds SET status = ?, reason = ? WHERE arm = ? AND round = ?",
            (status, reason, arm, round),
        )


def record(database: Database, arm: str, round: int) -> RoundRecord | None:
    """One round."""
    found = database.row(f"SELECT {_COLUMNS} FROM rounds WHERE arm = ? AND round = ?", (arm, round))  # noqa: S608 -- our own column names
    return None if found is None else _record(found)


def records(database: Database, arm: str) -> tuple[RoundRecord, ...]:
    """All rounds of an arm, oldest first."""
    found = database.rows(f"SELECT {_COLUMNS} FROM rounds WHERE arm = ? ORDER BY round", (arm,))  # noqa: S608 -- our own column names
    return tuple(_record(row) for row in found)


def latest(database: Database, arm: str, kind: Kind) -> RoundRecord | None:
    """The newest round of a kind that this gateway saw: its algorithm and parameters are the arm's."""
    return next((each for each in reversed(records(database, arm)) if each.key.kind == kind), None)


def _key_row(key: RoundKey) -> tuple[object, ...]:
    parameters = json.dumps(asdict(key.parameters), sort_keys=True)
    return (key.arm, key.round, key.kind, key.base, key.algorithm, parameters, key.deadline_ms)


def _record(row: tuple[object, ...]) -> RoundRecord:
    arm, round, kind, base, algorithm, parameters, deadline_ms, status, file, weight, loss, reason = row
    key = RoundKey(arm, round, kind, base, algorithm, Parameters(**json.loads(str(parameters))), deadline_ms)  # type: ignore[arg-type]
    return RoundRecord(key, status, file, weight, loss, reason)  # type: ignore[arg-type]
