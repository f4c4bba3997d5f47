"""The personal release that each patient's wearable shall run."""

from __future__ import annotations

from dataclasses import dataclass

from salus_edge.link.release_sender import Transfer
from salus_edge.store.database import Database


@dataclass(frozen=True, slots=True)
class PersonalRelease:
    """Signed with the gateway's key, for one base; `source` is the digest of what it was made from."""

    version: int
    base: bytes
    source: bytes
    transfer: Transfer


def put(database: Database, patient: str, release: PersonalRelease) -> None:
    """The patient's release from now on."""
    with database.transaction() as cursor:
        content = (release.transfer.signed_manifest, release.transfer.model)
        cursor.execute(
            "INSERT OR REPLACE INTO personal_releases VALUES (?, ?, ?, ?, ?, ?)",
            (patient, release.version, release.base, release.source, *content),
        )


def get(database: Database, patient: str) -> PersonalRelease | None:
    """The last one made, whatever base it is for."""
    found = database.row(
        "SELECT version, base, source, signed_manifest, model FROM personal_releases WHERE patient = ?", (patient,)
    )
    if found is None:
        return None
    return PersonalRelease(int(found[0]), bytes(found[1]), bytes(found[2]), Transfer(bytes(found[3]), bytes(found[4])))
