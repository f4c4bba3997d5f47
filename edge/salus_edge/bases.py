"""Which base counts for an arm, which settled model goes with it, and features of it for windows that lack
them.
"""

from __future__ import annotations

from salus_chain.proto import release_pb2
from salus_edge.config import ArmConfig, Settings
from salus_edge.recompute import recompute
from salus_edge.store import Database, features, models, windows
from salus_edge.store.features import Features
from salus_edge.store.models import SettledModel, StoredRelease


def packaged(settings: Settings) -> StoredRelease:
    """The release that the model package holds: what a new wearable runs."""
    package = settings.package
    signed = release_pb2.SignedManifest(manifest=package.manifest).SerializeToString()
    version = release_pb2.Manifest.FromString(package.manifest).version
    return StoredRelease(version, package.base_sha256, package.manifest, signed, package.base)


def known(database: Database, settings: Settings, arm: str) -> tuple[StoredRelease, ...]:
    """An arm's own releases, else the main task's, after the packaged one; oldest first."""
    own = models.releases(database, arm) or models.releases(database, settings.arms[0].task)
    return (packaged(settings), *own)


def current(database: Database, settings: Settings, arm: str) -> StoredRelease:
    """The release whose features an arm works with now."""
    return known(database, settings, arm)[-1]


def find(database: Database, settings: Settings, base: bytes) -> StoredRelease | None:
    """Any known release with this base, of whatever arm."""
    everywhere = (each for arm in settings.arms for each in known(database, settings, arm.task))
    return next((each for each in everywhere if each.base == base), None)


def shared(database: Database, settings: Settings, arm: ArmConfig, base: bytes) -> SettledModel:
    """The settled model that goes with a base for this arm; before the first, the package's."""
    found = models.model(database, arm.task, base)
    return found or SettledModel(0, b"", settings.package.model)


def fill(database: Database, settings: Settings, patient: str, base: bytes) -> int:
    """Make features of `base` for a patient's retained windows that have none; how many were made.

    Nothing is made for a base that no known release holds.
    """
    release = find(database, settings, base)
    if release is None:
        return 0
    lacking = windows.read(database, settings.store_key, patient, base)
    if not len(lacking):
        return 0
    values = recompute(release.model, release.manifest, lacking.values)
    made = Features(lacking.start_ms, lacking.end_ms, values)
    with database.transaction() as cursor:
        features.add(cursor, patient, base, release.version, made, [b""] * len(made), "window")
    return len(made)
