"""A personal release: right by the wearable's checks, close to the float model, and nothing but regions changed."""

from __future__ import annotations

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from salus_chain.keys import KeySigner
from salus_chain.proto.release_pb2 import Manifest
from salus_coordinator.model.layers import layout
from salus_coordinator.model.oracle import Oracle
from salus_coordinator.model.template import personal_template
from salus_edge.errors import Refused
from salus_edge.link.release_sender import Transfer
from salus_edge.personal_release import (
    AlarmRule,
    build_personal,
    check_template,
    dense_rows,
    quantise_layers,
    run,
    usable_template,
    verify_personal,
)
from tests.edge.personal_release.world import CHAIN_ID, base_manifest, some_features, task, weights

pytest.importorskip("tflite_micro", reason="the oracle's wheel is for x86-64 Linux")

SIGNER = KeySigner(ec.derive_private_key(17, ec.SECP256R1()))
TASK = task("fall")
TEMPLATE = personal_template(TASK)
BASE = base_manifest(TASK, TEMPLATE)
RULE = AlarmRule((1,), 0.8, 60_000, 3)


def built(seed: int = 0, content: bytes = TEMPLATE.content) -> Transfer:
    x = some_features(TASK, seed)
    return build_personal(TASK, layout(TASK), weights(TASK, seed), x, BASE, content, RULE, 7, CHAIN_ID, SIGNER)


def tflm(model: bytes, inputs: np.ndarray[tuple[int, ...], np.dtype[np.int8]], arena: int) -> object:
    interpreter = Oracle(model, arena)._interpreter
    for row in inputs:
        interpreter.set_input(row[None], 0)
        interpreter.invoke()
        yield interpreter.get_output(0).reshape(-1).copy()


def verify(transfer: Transfer, newer_than: int = 6) -> Manifest:
    return verify_personal(
        transfer.signed_manifest,
        transfer.model,
        gateway_public_key=SIGNER.public_key,
        base=BASE,
        newer_than=newer_than,
        chain_id=CHAIN_ID,
        run_golden=lambda model, inputs, arena: np.stack(list(tflm(model, inputs, arena))),  # type: ignore[call-overload]
        arena_limit=TASK.budget.arena_bytes,
    )


def test_the_wearable_takes_it_and_its_golden_logits_are_those_of_tflm() -> None:
    manifest = verify(built())
    assert (manifest.version, manifest.parent_sha256, manifest.kind) == (7, BASE.sha256, Manifest.PERSONAL)
    assert list(manifest.decision.alarm_classes) == [1]
    assert (manifest.decision.classes, manifest.decision.confirm_windows) == (2, 3)


def test_an_older_one_is_refused() -> None:
    with pytest.raises(Refused, match="older_version"):
        verify(built(), newer_than=7)


def test_any_byte_outside_of_the_regions_is_another_template() -> None:
    transfer = built()
    inside = {
        at for region in TEMPLATE.message.regions for at in range(region.offset, region.offset + region.size_bytes)
    }
    for at in [each for each in range(len(transfer.model)) if each not in inside][::37]:
        model = bytearray(transfer.model)
        model[at] ^= 1
        with pytest.raises(Refused, match="wrong_hash"):
            verify(Transfer(transfer.signed_manifest, bytes(model)))
        with pytest.raises(Refused, match="other_template"):
            check_template(BASE.personal_template, bytes(model))


def test_int8_logits_decide_as_the_float_model_does() -> None:
    """Where the float model is sure by more than a few steps of the logits' scale."""
    flat, x = weights(TASK, 3), some_features(TASK, 3, 400)
    layers = quantise_layers(TASK, layout(TASK), flat, x)
    parts = layout(TASK).split(flat)
    hidden = layers[0].input.dequantise(x)
    for row in dense_rows(TASK):
        kernel, bias = (np.asarray(parts[f"{row.name}/{each}"], np.float32) for each in ("kernel", "bias"))
        hidden = np.asarray(hidden @ kernel + bias, np.float32)
        hidden = np.maximum(hidden, 0) if row.relu else hidden
    logits = layers[-1].output.dequantise(run(layers, x))[:, : len(TASK.classes)]
    step = layers[-1].output.scale
    sure = np.abs(np.diff(hidden, axis=1)).ravel() > 6 * step
    assert sure.mean() > 0.5
    np.testing.assert_array_equal(logits.argmax(1)[sure], hidden.argmax(1)[sure])


def test_padding_units_say_nothing() -> None:
    layers = quantise_layers(TASK, layout(TASK), weights(TASK, 1), some_features(TASK, 1))
    assert layers[-1].kernel.shape[0] == 4
    assert not layers[-1].kernel[2:].any()
    assert not layers[-1].bias[2:].any()


def test_a_template_of_another_task_does_not_fit() -> None:
    other = personal_template(task("activity"))
    assert usable_template(BASE, other.content) is None
    assert usable_template(Manifest(), TEMPLATE.content) is None
    assert usable_template(BASE, TEMPLATE.content) == TEMPLATE.message
    manifest = Manifest()
    manifest.CopyFrom(BASE)
    manifest.personal_template.CopyFrom(other.message)
    x = some_features(TASK, 0)
    with pytest.raises(Refused, match="other_template"):
        build_personal(TASK, layout(TASK), weights(TASK, 0), x, manifest, other.content, RULE, 7, CHAIN_ID, SIGNER)


def test_the_template_is_the_same_for_all_releases_of_a_task() -> None:
    assert personal_template(TASK) == TEMPLATE
