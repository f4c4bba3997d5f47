"""When a wearable sends windows: from its patient's consent until the next base release is active on it."""

from __future__ import annotations

from salus_edge.config import Patient
from salus_edge.proto import link_pb2
from salus_edge.store import Database


def command_for(database: Database, patient: Patient, state: link_pb2.State, retention_ms: int) -> bytes | None:
    """The serialised Command that a wearable's state calls for; None when it does what it should.

    The base under which calibration began is durable: with another base it is over.
    """
    if state.link != link_pb2.State.ONLINE:
        return None
    wanted = patient.calibrate and bool(patient.consent) and _began(database, patient.device, state.base_sha256)
    if wanted == state.calibrating:
        return None
    until_ms = state.clock_ms + retention_ms if wanted else 0
    order = link_pb2.Calibrate(until_ms=until_ms, consent=patient.consent, base_sha256=state.base_sha256)
    return link_pb2.Command(calibrate=order).SerializeToString(deterministic=True)


def _began(database: Database, device: str, base: bytes) -> bool:
    """Whether this device's calibration runs under `base`; the first base to come is the one."""
    with database.transaction() as cursor:
        cursor.execute("INSERT OR IGNORE INTO calibrations VALUES (?, ?)", (device, base))
        (began,) = cursor.execute("SELECT base FROM calibrations WHERE device = ?", (device,)).fetchone()
    return bool(began == base)
