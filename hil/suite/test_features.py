"""Injected recordings: the same windows, features and times as the Python front end and TFLM."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from salus_chain.proto.release_pb2 import Manifest
from salus_edge.frontend import Windows, cut, quantise
from salus_edge.link import Label
from salus_hil.errors import CommandFailed
from salus_hil.rig.driver import Wearable
from salus_hil.rig.gateway import RigGateway
from salus_hil.rig.package import TASK, Release, recording

START_MS = 1_767_225_600_000
CONSENT = b"c" * 32


def expected(release: Release, samples: NDArray[np.float32]) -> tuple[Windows, NDArray[np.int8]]:
    windows = cut(TASK, samples, float(START_MS))
    manifest = Manifest.FromString(release.manifest)
    inputs = quantise(windows.windows, manifest.input.scale, manifest.input.zero_point)
    return windows, release.oracle().run(inputs)


def heard(gateway: RigGateway) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """All features, by time."""
    starts = np.concatenate([batch.start_ms for batch in gateway.features])
    values = np.concatenate([batch.values for batch in gateway.features])
    order = np.argsort(starts, kind="stable")
    return starts[order], values[order]


def hold(enrolled: Wearable, gateway: RigGateway, release: Release, samples: NDArray[np.float32]) -> None:
    """What came is what Python makes of `samples`."""
    windows, features = expected(release, samples)
    gateway.wait(lambda: gateway.feature_count >= len(features), f"{len(features)} features")
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring")
    starts, values = heard(gateway)
    assert starts.tolist() == windows.start_ms.tolist()
    assert np.array_equal(values, features)
    assert {batch.base_sha256 for batch in gateway.features} == {release.sha256}
    assert {(batch.task, batch.model_version) for batch in gateway.features} == {(TASK.name, 1)}


def test_a_recording_gives_the_features_that_python_has(
    enrolled: Wearable, gateway: RigGateway, release: Release
) -> None:
    samples = recording(120.0)
    reply = enrolled.inject_patiently(samples, START_MS)
    assert reply.next_sample == len(samples)
    hold(enrolled, gateway, release, samples)


def test_frames_that_come_twice_change_nothing(enrolled: Wearable, gateway: RigGateway, release: Release) -> None:
    samples = recording(30.0)
    enrolled.inject(samples[:700], START_MS, ends=False)
    assert enrolled.inject(samples[:500], START_MS, ends=False).next_sample == 700
    enrolled.inject(samples, START_MS, first=700)
    hold(enrolled, gateway, release, samples)


def test_a_frame_that_leaves_a_gap_is_refused(enrolled: Wearable) -> None:
    samples = recording(10.0)
    enrolled.inject(samples[:100], START_MS, ends=False)
    with pytest.raises(CommandFailed) as refused:
        enrolled.inject(samples, START_MS, first=300)
    assert refused.value.code == "gap"
    with pytest.raises(CommandFailed):
        enrolled.inject(samples[:, :2], START_MS, first=100)


def test_windows_leave_only_in_calibration_under_its_consent(
    enrolled: Wearable, gateway: RigGateway, release: Release
) -> None:
    samples = recording(60.0)
    enrolled.inject_patiently(samples[:1000], START_MS)
    until_ms = START_MS + 100_000 + 30_000
    gateway.calibrate(until_ms, CONSENT, release.sha256)
    enrolled.wait(lambda said: said.calibrate_until_ms == until_ms, "calibration")
    second_ms = START_MS + 100_000
    enrolled.inject_patiently(samples, second_ms)
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring")
    windows = cut(TASK, samples, float(second_ms))
    length_ms = round(TASK.window.samples * 1000 / TASK.rate_hz)
    wanted = windows.start_ms + length_ms <= until_ms
    starts = np.concatenate([batch.start_ms for batch in gateway.windows])
    values = np.concatenate([batch.windows for batch in gateway.windows])
    order = np.argsort(starts)
    assert starts[order].tolist() == windows.start_ms[wanted].tolist()
    peak = float(np.abs(windows.windows).max())
    assert np.abs(values[order] - windows.windows[wanted]).max() <= peak / 32767 + 1e-5 * peak
    assert {batch.consent for batch in gateway.windows} == {CONSENT}


def test_calibration_for_another_base_sends_nothing(enrolled: Wearable, gateway: RigGateway) -> None:
    gateway.calibrate(START_MS + 10_000_000, CONSENT, bytes(32))
    enrolled.wait(lambda said: said.heard_messages > 0, "command")
    enrolled.inject_patiently(recording(20.0), START_MS)
    enrolled.wait(lambda said: said.ring_packets == 0, "empty ring")
    assert enrolled.status().calibrate_until_ms == 0
    assert not gateway.windows and gateway.feature_count


def test_labels_arrive_as_they_were_said(enrolled: Wearable, gateway: RigGateway) -> None:
    labels = [
        Label(id=f"l{n}", start_ms=START_MS + n, end_ms=START_MS + n + 1, label="sway", source="diary", task=TASK.name)
        for n in range(100)
    ]
    for first in range(0, len(labels), 25):
        enrolled.say(*labels[first : first + 25])
    gateway.wait(lambda: len(gateway.labels) == len(labels), "100 labels")
    assert sorted(gateway.labels, key=lambda each: each.start_ms) == labels
