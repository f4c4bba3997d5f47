"""The device model, against the genuine TFLM of this host: bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from salus_chain.proto.release_pb2 import Manifest
from salus_edge.frontend import quantise
from salus_hil.errors import CommandFailed
from salus_hil.rig.driver import Wearable
from salus_hil.rig.identity import Identity
from salus_hil.rig.package import TASK, Release, make_release, real_windows

RANDOM_WINDOWS = 1000


@pytest.fixture
def running(wearable: Wearable, identity: Identity, release: Release) -> Wearable:
    """With a model; nobody's network is needed."""
    wearable.enrol(identity, "mqtt://127.0.0.1:9")
    wearable.must_take(release.signed(identity))
    return wearable


def test_the_golden_inputs_give_the_golden_outputs(running: Wearable, release: Release) -> None:
    result = running.golden()
    assert result.inputs == len(Manifest.FromString(release.manifest).golden_inputs)
    assert result.mismatches == 0


def test_random_and_real_windows_are_as_tflm_has_them(running: Wearable, release: Release) -> None:
    manifest = Manifest.FromString(release.manifest)
    shape = tuple(manifest.input.shape)
    rng = np.random.default_rng(11)
    windows = np.concatenate(
        [
            rng.integers(-128, 128, (RANDOM_WINDOWS, *shape)).astype(np.int8),
            quantise(real_windows(), manifest.input.scale, manifest.input.zero_point),
            np.stack([np.full(shape, value, np.int8) for value in (-128, 127, manifest.input.zero_point)]),
        ]
    )
    wanted = release.oracle().run(windows)
    differing = [index for index, window in enumerate(windows) if not (running.infer(window) == wanted[index]).all()]
    assert not differing, f"{len(differing)} of {len(windows)} windows differ, first {differing[0]}"
    assert running.statistics().inferences >= len(windows)


def test_an_input_of_another_size_is_refused(running: Wearable) -> None:
    with pytest.raises(CommandFailed) as refused:
        running.infer(np.zeros(TASK.window.samples, np.int8))
    assert refused.value.code == "wrong_size"


def test_a_wearable_without_a_model_refuses_to_infer(wearable: Wearable) -> None:
    with pytest.raises(CommandFailed):
        wearable.infer(np.zeros((TASK.window.samples, 4), np.int8))
    with pytest.raises(CommandFailed):
        wearable.golden()


def test_each_version_has_its_own_outputs(running: Wearable, identity: Identity, release: Release) -> None:
    other = make_release(2, identity.chain_id)
    window = np.zeros(tuple(Manifest.FromString(release.manifest).input.shape), np.int8)
    first = running.infer(window)
    running.must_take(other.signed(identity))
    assert running.hello().model_version == 2
    assert (running.infer(window) == other.oracle().run(window[None])[0]).all()
    assert (first == release.oracle().run(window[None])[0]).all()
