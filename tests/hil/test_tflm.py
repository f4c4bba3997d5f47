"""The genuine interpreter on real windows: a wearable's features are the coordinator's, bit for bit."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from salus_chain.proto.release_pb2 import Chunk, Manifest, SignedManifest
from salus_coordinator.data import SOURCES
from salus_coordinator.data import load as load_data
from salus_coordinator.model.layers import initial, layout
from salus_coordinator.model.manifest import Origin, base_manifest
from salus_coordinator.model.quantise import Reference, quantise
from salus_coordinator.tasks import find_task
from salus_edge.errors import Refused
from salus_edge.frontend import FrontEnd
from salus_edge.frontend import quantise as to_int8
from salus_edge.link import FeatureBatch
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_edge.release import sign_manifest
from salus_hil.virtual.engine import load_tflm, tflm_available
from salus_hil.virtual.flash import Flash
from salus_hil.virtual.measure import feature_batch, groups
from salus_hil.virtual.schedule import Piece
from salus_hil.virtual.slots import Slots
from salus_hil.virtual.update import Update
from tests.hil.rig import CHAIN_ID, SIGNER

pytestmark = [
    pytest.mark.skipif(not tflm_available(), reason="tflite-micro has a wheel for x86-64 Linux only"),
    pytest.mark.skipif(SOURCES["watch"].file(Path()) is None, reason="seglearn's recordings are not installed"),
]
TASK = find_task("exercise")


def piece() -> Piece:
    """A person's first exercise on the watch."""
    recording = load_data("watch").recordings[0]
    columns = [recording.channels.index(name) for name in TASK.channels]
    return Piece(0, recording.samples[:2000, columns], ())


def release(version: int, chain_id: bytes = CHAIN_ID) -> tuple[bytes, bytes]:
    """(manifest, model): a base of random weights, ranges from real windows."""
    found = np.concatenate([each.windows for each in groups(FrontEnd.of(TASK), piece(), 64)])
    reference = Reference(found, np.arange(len(found)) % len(TASK.classes))
    weights = initial(TASK, np.random.default_rng(version))
    with patch("salus_coordinator.model.quantise.LOSS_POINTS", 100.0):  # the labels mean nothing
        quantised = quantise(TASK, weights, reference)
    origin = Origin(version, bytes(32), 0, chain_id=chain_id)
    return base_manifest(TASK, layout(TASK), quantised, reference, bytes(32), origin), quantised.model


def test_features_of_real_windows_are_the_oracles() -> None:
    data, model = release(1)
    manifest = Manifest.FromString(data)
    engine, oracle = load_tflm(model, TASK.budget.arena_bytes), load_tflm(model, manifest.arena_bytes)
    for group in groups(FrontEnd.of(TASK), piece(), 8):
        batch = FeatureBatch.decode(feature_batch(TASK, manifest, engine, group).encode())
        inputs = to_int8(group.windows, manifest.input.scale, manifest.input.zero_point)
        np.testing.assert_array_equal(batch.values, oracle.run(inputs))
        assert batch.values.std() > 0 and batch.base_sha256 == manifest.sha256


def test_a_release_with_tflm_goldens_is_taken_and_one_with_a_changed_weight_is_not(tmp_path: Path) -> None:
    slots = Slots(flash := Flash.open(tmp_path, b"me"))
    slots.provision(*release(1))
    update = Update(flash, slots, TASK, SIGNER.public_key, CHAIN_ID, load_tflm)
    data, model = release(2)
    manifest = Manifest.FromString(data)
    other = release(3)[1]  # other weights under the goldens of version 2
    manifest.size_bytes, manifest.version = len(other), 3
    manifest.sha256 = Manifest.FromString(release(3)[0]).sha256
    cases = [(manifest.SerializeToString(), other, ReleaseStatus.REFUSED), (data, model, ReleaseStatus.ACTIVE)]
    for signed_data, blob, progress in cases:
        digest = Manifest.FromString(signed_data).sha256
        update.offer(SignedManifest.FromString(sign_manifest(signed_data, SIGNER)))
        status = None
        for start in range(0, len(blob), 4096):
            status = update.chunk(Chunk(sha256=digest, offset=start, data=blob[start : start + 4096]))
        assert status is not None and status.progress == progress
        assert status.code == ("golden_differs" if progress == ReleaseStatus.REFUSED else "")
    assert slots.versions == [1, 2]


def test_a_model_that_does_not_fit_or_is_none_is_bad() -> None:
    _, model = release(1)
    for data, arena_bytes in ((model, 512), (b"junk" * 100, 1 << 16)):
        with pytest.raises(Refused, match="bad_model"):
            load_tflm(data, arena_bytes)
