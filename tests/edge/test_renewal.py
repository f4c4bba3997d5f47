"""A patient's personal release is what the gateway predicts with, made anew when that changes and only then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from salus_chain.keys import PemSigner
from salus_chain.proto.release_pb2 import Manifest, SignedManifest
from salus_edge.config import Settings, read_settings
from salus_edge.errors import ConfigError
from salus_edge.personal import extract
from salus_edge.personal_release import check_personal
from salus_edge.renewal import LEAST_FEATURES, renew
from salus_edge.store import Database, features, models, personal_releases
from salus_edge.store.features import Features
from salus_edge.store.models import Personal
from tests.edge.world import START_MS, WINDOW_MS, write_world

NOW_MS = START_MS + 1_000_000
ALARM = {"classes": ["fast"], "threshold": 0.9, "refractory_s": 30}


@pytest.fixture
def settings(tmp_path: Path, package_folder: Path) -> Settings:
    return read_settings(write_world(tmp_path, package_folder, changes={"alarm": ALARM, "confirm": 3}))


@pytest.fixture
def signer(settings: Settings) -> PemSigner:
    return PemSigner.load(settings.key)


def measure(settings: Settings, database: Database, count: int = LEAST_FEATURES) -> None:
    """Features of the packaged base, stored for anna."""
    starts = START_MS + WINDOW_MS * np.arange(count, dtype=np.int64)
    values = np.random.default_rng(1).integers(-128, 127, (count, 8)).astype(np.int8)
    with database.transaction() as cursor:
        found = Features(starts, starts + WINDOW_MS, values)
        features.add(cursor, "anna", settings.package.base_sha256, 1, found, [b""] * count, "device")


def manifest_of(database: Database) -> Manifest:
    found = personal_releases.get(database, "anna")
    assert found is not None
    return Manifest.FromString(SignedManifest.FromString(found.transfer.signed_manifest).manifest)


def test_it_waits_for_features_and_is_made_once(settings: Settings, database: Database, signer: PemSigner) -> None:
    measure(settings, database, LEAST_FEATURES - 1)
    assert not renew(database, settings, signer, "anna", NOW_MS)
    measure(settings, database)
    assert renew(database, settings, signer, "anna", NOW_MS)
    assert not renew(database, settings, signer, "anna", NOW_MS + 60_000)
    assert personal_releases.get(database, "bert") is None


def test_the_wearable_finds_it_right(settings: Settings, database: Database, signer: PemSigner) -> None:
    measure(settings, database)
    renew(database, settings, signer, "anna", NOW_MS)
    found = personal_releases.get(database, "anna")
    assert found is not None
    manifest = check_personal(
        found.transfer.signed_manifest,
        gateway_public_key=signer.public_key,
        base=Manifest.FromString(settings.package.manifest),
        newer_than=0,
        chain_id=settings.genesis.chain_id,
        arena_limit=settings.package.task.budget.arena_bytes,
    )
    decision = manifest.decision
    assert manifest.version == NOW_MS // 1000
    assert (list(decision.alarm_classes), decision.classes, decision.confirm_windows) == ([2], 3, 3)
    assert decision.threshold == pytest.approx(0.9)
    assert decision.refractory_ms == 30_000


def test_a_valid_personal_head_makes_the_next_one(settings: Settings, database: Database, signer: PemSigner) -> None:
    measure(settings, database)
    renew(database, settings, signer, "anna", NOW_MS)
    before = manifest_of(database)
    layout, base = settings.package.layout, settings.package.base_sha256
    own = Personal("head", extract(layout, settings.package.model, ("head",)) + np.float32(0.5), False, 1, 40)
    models.put_personal(database, "anna", "wave", base, "predict", own)
    assert not renew(database, settings, signer, "anna", NOW_MS), "the gateway does not predict with it either"
    models.put_personal(database, "anna", "wave", base, "predict", replace(own, valid=True))
    assert renew(database, settings, signer, "anna", NOW_MS), "in the same second"
    after = manifest_of(database)
    assert after.version == before.version + 1
    assert after.sha256 != before.sha256


def test_without_an_alarm_in_the_configuration_there_is_none(
    tmp_path: Path, package_folder: Path, signer: PemSigner, settings: Settings, database: Database
) -> None:
    measure(settings, database)
    assert not renew(database, replace(settings, alarm=None), signer, "anna", NOW_MS)


def test_without_a_template_there_is_none(settings: Settings, database: Database, signer: PemSigner) -> None:
    measure(settings, database)
    bare = replace(settings, package=replace(settings.package, template=b""))
    assert not renew(database, bare, signer, "anna", NOW_MS)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"alarm": {**ALARM, "classes": ["flying"]}}, "flying"),
        ({"alarm": {**ALARM, "classes": []}}, "classes"),
        ({"alarm": {**ALARM, "threshold": 0.0}}, "threshold"),
        ({"alarm": {**ALARM, "threshold": 1.5}}, "threshold"),
        ({"alarm": {**ALARM, "refractory_s": -1}}, "refractory_s"),
        ({"alarm": ALARM, "confirm": 33}, "confirms"),
        ({"alarm": {**ALARM, "colour": 1}}, "colour"),
    ],
)
def test_an_impossible_alarm_is_said(
    change: dict[str, object], said: str, tmp_path: Path, package_folder: Path
) -> None:
    with pytest.raises(ConfigError, match=said):
        read_settings(write_world(tmp_path, package_folder, changes=change))
