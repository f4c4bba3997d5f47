"""Releases: what is taken, what is refused and why, and power cuts in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from salus_chain.proto.release_pb2 import Golden, Manifest
from salus_edge.link.release_sender import Transfer, next_messages
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_edge.release import sign_manifest
from salus_hil.errors import HilError
from salus_hil.rig.driver import Wearable
from salus_hil.rig.gateway import RigGateway
from salus_hil.rig.identity import Identity
from salus_hil.rig.package import Release, make_release

CUTS = 50


def test_the_first_model_needs_no_signature_and_every_later_one_does(wearable: Wearable, identity: Identity) -> None:
    """The first comes by the console, in a factory."""
    wearable.enrol(identity, "mqtt://127.0.0.1:9")
    first, second = make_release(1, b""), make_release(2, identity.chain_id)
    wearable.must_take(first.unsigned())
    assert wearable.golden().mismatches == 0
    assert wearable.offer(second.unsigned()).code == "bad_signature"
    wearable.must_take(second.signed(identity))


@pytest.fixture
def running(wearable: Wearable, identity: Identity, release: Release) -> Wearable:
    """With release 1, and no network."""
    wearable.enrol(identity, "mqtt://127.0.0.1:9")
    wearable.must_take(release.signed(identity))
    return wearable


def test_a_release_over_the_air_is_taken_chunk_by_chunk(
    enrolled: Wearable, gateway: RigGateway, identity: Identity
) -> None:
    second = make_release(2, identity.chain_id)
    gateway.offer(second.signed(identity))
    gateway.wait(lambda: bool(gateway.statuses) and gateway.statuses[-1].progress == ReleaseStatus.ACTIVE, "release 2")
    offsets = [status.next_offset for status in gateway.statuses if status.progress == ReleaseStatus.RECEIVING]
    assert offsets == sorted(set(offsets)) and offsets[0] == 0
    hello = enrolled.hello()
    assert hello.model_version == 2 and hello.base_sha256 == second.sha256
    assert enrolled.golden().mismatches == 0
    gateway.wait(lambda: gateway.states[-1].model_version == 2, "state of version 2")


def test_the_active_one_offered_again_is_active(running: Wearable, identity: Identity, release: Release) -> None:
    status = running.offer(release.signed(identity))
    assert status.progress == ReleaseStatus.ACTIVE and status.version == 1


def _goldens(second: Release) -> Release:
    manifest = Manifest.FromString(second.manifest)
    outputs = list(manifest.goldens[0].outputs)
    outputs[0] = bytes([outputs[0][0] ^ 1]) + outputs[0][1:]
    return second.changed(goldens=[Golden(name="feature", outputs=outputs)])


def _damaged(second: Release) -> Release:
    at = len(second.model) // 2
    return Release(second.manifest, second.model[:at] + bytes([second.model[at] ^ 1]) + second.model[at + 1 :])


def _hostile(second: Release) -> Release:
    """Of the right hash: its maker signed rubbish."""
    rubbish = np.random.default_rng(1).integers(0, 256, len(second.model), np.uint8).tobytes()
    return Release(Release(second.manifest, rubbish).changed(sha256=Release(b"", rubbish).sha256).manifest, rubbish)


REFUSALS: dict[str, Callable[[Release], Release]] = {
    "wrong_task": lambda second: second.changed(task="another"),
    "wrong_chain": lambda second: second.changed(chain_id=bytes(32)),
    "older_version": lambda second: second.changed(version=1),
    "wrong_size": lambda second: second.changed(size_bytes=64 << 20),
    "wrong_frontend": lambda second: second.changed(frontend_sha256=bytes(32)),
    "arena_too_large": lambda second: second.changed(arena_bytes=64 << 20),
    "malformed": lambda second: second.changed(sha256=b"short"),
    "wrong_hash": _damaged,
    "golden_differs": _goldens,
    "bad_model": _hostile,
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_release_that_breaks_a_rule_is_refused_by_its_code(
    running: Wearable, identity: Identity, release: Release, code: str
) -> None:
    second = make_release(2, identity.chain_id)
    status = running.offer(REFUSALS[code](second).signed(identity))
    assert (status.progress, status.code) == (ReleaseStatus.REFUSED, code)
    assert running.hello().base_sha256 == release.sha256
    assert running.golden().mismatches == 0
    running.must_take(second.signed(identity))


def test_a_release_of_another_signer_is_refused(running: Wearable, identity: Identity, release: Release) -> None:
    second = make_release(2, identity.chain_id)
    stranger = replace(identity, release=Identity().release)
    for transfer in (
        second.signed(stranger),
        Transfer(sign_manifest(second.manifest, identity.gateway), second.model),
    ):
        status = running.offer(transfer)
        assert (status.progress, status.code) == (ReleaseStatus.REFUSED, "bad_signature")
    assert running.hello().base_sha256 == release.sha256


def test_versions_only_rise_and_a_roll_back_is_the_old_weights_under_a_higher_one(
    running: Wearable, identity: Identity, release: Release
) -> None:
    second = make_release(2, identity.chain_id)
    running.must_take(second.signed(identity))
    status = running.offer(release.signed(identity))
    assert (status.progress, status.code) == (ReleaseStatus.REFUSED, "older_version")
    running.must_take(release.changed(version=3).signed(identity))
    hello = running.reset()
    assert hello.model_version == 3 and hello.base_sha256 == release.sha256
    assert running.golden().mismatches == 0


@pytest.mark.needs("power", "flash")
def test_a_damaged_slot_is_rolled_back_from_at_the_next_start(
    running: Wearable, identity: Identity, release: Release
) -> None:
    second = make_release(2, identity.chain_id)
    running.must_take(second.signed(identity))
    running.cut()
    running.damage(second.model)
    hello = running.start()
    assert hello.model_version == 1 and hello.base_sha256 == release.sha256
    assert running.golden().mismatches == 0
    running.must_take(make_release(3, identity.chain_id).signed(identity))


@pytest.mark.needs("power", "flash")
def test_with_both_slots_damaged_it_stays_reachable_and_takes_a_signed_release(
    running: Wearable, identity: Identity, release: Release
) -> None:
    second = make_release(2, identity.chain_id)
    running.must_take(second.signed(identity))
    running.cut()
    for each in (release, second):
        running.damage(each.model)
    assert not running.start().task
    third = make_release(3, identity.chain_id)
    stranger = replace(identity, release=Identity().release)
    assert running.offer(third.signed(stranger)).code == "bad_signature"
    running.must_take(third.signed(identity))
    assert running.golden().mismatches == 0


def test_a_transfer_goes_on_where_a_reset_stopped_it_or_begins_anew(running: Wearable, identity: Identity) -> None:
    transfer = make_release(2, identity.chain_id).signed(identity)
    status = running.release(next_messages(transfer, None)[0])
    assert status is not None
    running.release(next_messages(transfer, status)[0])
    running.reset()
    running.must_take(transfer)


def test_chunks_that_are_not_wanted_do_no_harm(running: Wearable, identity: Identity) -> None:
    second = make_release(2, identity.chain_id)
    transfer = second.signed(identity)
    first = running.release(next_messages(transfer, None)[0])
    assert first is not None
    chunk = next_messages(transfer, first)[0]
    stray = next_messages(transfer, ReleaseStatus(version=2, progress=ReleaseStatus.RECEIVING, next_offset=1000))[0]
    running.release(stray)
    status = running.release(chunk)
    running.release(chunk)
    while status is not None and status.progress == ReleaseStatus.RECEIVING:
        status = running.release(next_messages(transfer, status)[0])
    assert running.hello().model_version == 2


@pytest.mark.needs("power")
def test_a_power_cut_at_any_moment_leaves_a_working_slot(running: Wearable, identity: Identity) -> None:
    """Cuts at random moments of transfers, self-tests and swaps: what runs then is the old or the new, whole."""
    rng = np.random.default_rng(41)
    cuts = CUTS if "fast" in running.rig.has else CUTS // 5
    version = 1
    for _ in range(cuts):
        coming = make_release(version + 1, identity.chain_id).signed(identity)
        running.offer_and_cut(coming, float(rng.uniform(0.0, 1.1)))
        hello = running.start()
        assert hello.model_version in (version, version + 1)
        version = hello.model_version
        assert running.golden().mismatches == 0
    last = make_release(version + 1, identity.chain_id)
    running.must_take(last.signed(identity))
    assert running.hello().base_sha256 == last.sha256


def test_what_is_no_manifest_is_refused(running: Wearable) -> None:
    with pytest.raises(HilError):
        running.must_take(Transfer(b"\x0a\x02\x08\x01", b"rubbish"))
    assert running.golden().mismatches == 0
