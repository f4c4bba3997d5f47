"""A patient's personal release, made anew when what the gateway predicts with has changed."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import numpy as np

from salus_chain.keys import Signer
from salus_chain.proto.release_pb2 import Manifest
from salus_edge import bases
from salus_edge.config import Settings
from salus_edge.personal_release import AlarmRule, build_personal, usable_template
from salus_edge.predictor import weights
from salus_edge.store import Database, features, personal_releases
from salus_edge.store.personal_releases import PersonalRelease

LEAST_FEATURES: Final = 20  # before they say what a patient's ranges are
MOST_FEATURES: Final = 4_000  # of the latest


def renew(database: Database, settings: Settings, signer: Signer, patient: str, now_ms: int) -> bool:
    """Make a patient's release for the current base, unless the one there is made from the same; whether it did.

    What it holds is what the gateway itself predicts with: the patient's own head where that is valid, else the
    settled one, so that an alarm never waits for labels. Raises Refused `other_template`.
    """
    rule, package, arm = settings.alarm, settings.package, settings.arms[0]
    release = bases.current(database, settings, arm.task)
    manifest = Manifest.FromString(release.manifest)
    if rule is None or usable_template(manifest, package.template) is None:
        return False
    flat, _ = weights(database, settings, arm, patient, release.base)
    before = personal_releases.get(database, patient)
    source = _source(release.base, flat, rule)
    if before is not None and before.source == source:
        return False
    seen = features.read(database, patient, release.base).values[-MOST_FEATURES:]
    if len(seen) < LEAST_FEATURES:
        return False
    version = max(now_ms // 1000, before.version + 1 if before else 1)  # upward, also after a store was restored
    transfer = build_personal(
        package.task,
        package.layout,
        flat,
        seen,
        manifest,
        package.template,
        rule,
        version,
        settings.genesis.chain_id,
        signer,
    )
    personal_releases.put(database, patient, PersonalRelease(version, release.base, source, transfer))
    return True


def _source(base: bytes, flat: np.ndarray[tuple[int], np.dtype[np.float32]], rule: AlarmRule) -> bytes:
    return sha256(base + np.ascontiguousarray(flat, "<f4").tobytes() + repr(rule).encode()).digest()
