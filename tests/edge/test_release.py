"""A release is taken whole or refused with its code; a refusal changes nothing on the wearable."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from salus_chain.proto.release_pb2 import Chunk, Golden, Manifest, SignedManifest
from salus_edge.errors import Refused
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_edge.release import sign_manifest, verify_release
from salus_hil.virtual.engine import FakeEngine
from salus_hil.virtual.flash import Flash
from salus_hil.virtual.slots import Slots
from salus_hil.virtual.update import Update
from tests.hil.rig import CHAIN_ID, SIGNER, TASK, fake_release

OTHER_KEY = bytes.fromhex("036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296")


def verify(signed: bytes, model: bytes, **changes: Any) -> Manifest:
    arguments: dict[str, Any] = {
        "release_public_key": SIGNER.public_key,
        "task": TASK,
        "newer_than": 1,
        "chain_id": CHAIN_ID,
        "run_golden": lambda data, inputs, arena_bytes: FakeEngine(data, arena_bytes).run(inputs),
        "arena_limit": TASK.budget.arena_bytes,
    }
    return verify_release(signed, model, **{**arguments, **changes})


def altered(change: str) -> tuple[bytes, bytes, dict[str, Any]]:
    """(signed manifest, model, arguments) with one thing wrong."""
    data, model = fake_release(2)
    manifest = Manifest.FromString(data)
    arguments: dict[str, Any] = {}
    match change:
        case "task":
            manifest.task = "other"
        case "chain":
            manifest.chain_id = bytes(32)
        case "version":
            arguments["newer_than"] = 2
        case "no size":
            manifest.size_bytes = 0
        case "huge":
            manifest.size_bytes = 1 << 30
        case "shorter":
            model = model[:-1]
        case "bit":
            model = model[:-1] + b"!"
        case "window":
            manifest.frontend.hop_samples += 1
        case "frontend hash":
            manifest.frontend_sha256 = bytes(32)
        case "arena":
            manifest.arena_bytes = TASK.budget.arena_bytes + 1
        case "not a model":
            model = b"junk" + model[4:]
            manifest.sha256 = sha256(model).digest()
        case "golden":
            manifest.goldens[0].outputs[1] = bytes(FakeEngine.WIDTH)
        case "no golden":
            del manifest.golden_inputs[:]
            manifest.goldens[0].ClearField("outputs")
        case "golden count":
            manifest.goldens[0].outputs.append(bytes(FakeEngine.WIDTH))
        case "golden name":
            manifest.goldens[0].CopyFrom(Golden(name="logits", outputs=manifest.goldens[0].outputs))
        case "scale":
            manifest.input.scale = float("nan")
        case "kind":
            manifest.kind = Manifest.PERSONAL
        case "key":
            arguments["release_public_key"] = OTHER_KEY
    return sign_manifest(manifest.SerializeToString(), SIGNER), model, arguments


CASES = {
    "task": "wrong_task", "chain": "wrong_chain", "version": "older_version", "no size": "wrong_size",
    "huge": "wrong_size", "shorter": "wrong_size", "bit": "wrong_hash", "window": "wrong_frontend",
    "frontend hash": "wrong_frontend", "arena": "arena_too_large", "not a model": "bad_model",
    "golden": "golden_differs", "no golden": "malformed", "golden count": "malformed", "golden name": "malformed",
    "scale": "malformed", "kind": "malformed", "key": "bad_signature",
}  # fmt: skip


def test_a_right_release_verifies() -> None:
    data, model = fake_release(2)
    assert verify(sign_manifest(data, SIGNER), model).version == 2


@pytest.mark.parametrize(("change", "code"), CASES.items())
def test_each_wrong_thing_has_its_code(change: str, code: str) -> None:
    signed, model, arguments = altered(change)
    with pytest.raises(Refused) as caught:
        verify(signed, model, **arguments)
    assert caught.value.code == code


@pytest.mark.parametrize("position", range(0, 200, 13))
def test_any_changed_bit_of_the_manifest_is_a_bad_signature(position: int) -> None:
    data, model = fake_release(2)
    message = SignedManifest.FromString(sign_manifest(data, SIGNER))
    changed = bytearray(message.manifest)
    changed[position] ^= 1
    message.manifest = bytes(changed)
    with pytest.raises(Refused, match="bad_signature"):
        verify(message.SerializeToString(), model)


def test_bytes_that_are_no_message_are_malformed() -> None:
    with pytest.raises(Refused, match="malformed"):
        verify(b"\xff\xff", b"")


def wearable(folder: Path) -> tuple[Update, Slots, Flash]:
    flash = Flash.open(folder, b"identity")
    slots = Slots(flash)
    slots.provision(*fake_release(1))
    return Update(flash, slots, TASK, SIGNER.public_key, CHAIN_ID, FakeEngine), slots, flash


def transfer(update: Update, signed: bytes, model: bytes) -> ReleaseStatus:
    """Offer, then all chunks: what the wearable says last."""
    status: ReleaseStatus | None = update.offer(SignedManifest.FromString(signed))
    digest = Manifest.FromString(SignedManifest.FromString(signed).manifest).sha256
    while status is not None and status.progress == ReleaseStatus.RECEIVING and status.next_offset < len(model):
        offset = status.next_offset
        status = update.chunk(Chunk(sha256=digest, offset=offset, data=model[offset : offset + 4096]))
    assert status is not None
    return status


@pytest.mark.parametrize("change", [change for change in CASES if change not in ("version", "key", "shorter")])
def test_on_the_wearable_a_refusal_changes_nothing(change: str, tmp_path: Path) -> None:
    update, slots, flash = wearable(tmp_path)
    before = (slots.active.manifest.version, slots.active.model, slots.active.name)
    signed, model, _ = altered(change)
    status = transfer(update, signed, model)
    code = "bad_signature" if change == "kind" else CASES[change]  # a personal one wants the gateway's key
    assert (status.progress, status.code) == (ReleaseStatus.REFUSED, code)
    assert status.personal == (change == "kind")
    assert (slots.active.manifest.version, slots.active.model, slots.active.name) == before
    assert not flash.blob("offer") and not flash.db.execute("SELECT * FROM chunks").fetchall()
    assert transfer(update, sign_manifest(fake_release(2)[0], SIGNER), fake_release(2)[1]).progress == (
        ReleaseStatus.ACTIVE
    )


def test_a_swap_takes_the_free_slot_and_a_roll_back_is_a_higher_version(tmp_path: Path) -> None:
    update, slots, _ = wearable(tmp_path)
    for version, slot in ((2, "B"), (3, "A")):
        data, model = fake_release(version)
        assert transfer(update, sign_manifest(data, SIGNER), model).progress == ReleaseStatus.ACTIVE
        assert (slots.active.name, slots.active.manifest.version, slots.active.model) == (slot, version, model)
    data, model = fake_release(2)
    assert transfer(update, sign_manifest(data, SIGNER), model).code == "older_version"
    assert slots.versions == [1, 2, 3]


def test_a_power_cut_in_a_transfer_goes_on_where_it_was(tmp_path: Path) -> None:
    update, _, flash = wearable(tmp_path)
    data, model = fake_release(2)
    signed = SignedManifest.FromString(sign_manifest(data, SIGNER))
    assert update.offer(signed).next_offset == 0
    first = Chunk(sha256=sha256(model).digest(), offset=0, data=model[:4096])
    assert update.chunk(first) is not None
    assert update.chunk(first) is None  # a duplicate
    flash.close()
    again, slots, _ = wearable(tmp_path)
    assert again.offer(signed).next_offset == 4096
    assert transfer(again, signed.SerializeToString(), model).progress == ReleaseStatus.ACTIVE
    assert again.offer(signed).progress == ReleaseStatus.ACTIVE  # asked once more
    assert slots.active.manifest.version == 2


def test_golden_inputs_are_real_windows() -> None:
    manifest = Manifest.FromString(fake_release(2)[0])
    assert np.frombuffer(manifest.golden_inputs[0], np.int8).std() > 0
