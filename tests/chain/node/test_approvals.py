"""Approvals against a real .tflite, built here with nothing but constants in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from salus_chain.candidates import (
    RELEASE_DOMAIN,
    ModelCandidate,
    ReleaseCandidate,
    decode_candidate,
    encode_candidate,
    is_about,
)
from salus_chain.errors import DecodeError, Rejected
from salus_chain.fixed import Int32s, to_fixed, to_float
from salus_chain.keys import KeySigner
from salus_chain.node.settling.approvals import (
    approve_model,
    check_manifest,
    check_weights,
    read_manifest,
    release_statement,
)
from salus_chain.proto.release_pb2 import Manifest, SignedManifest, Tensor
from salus_chain.rules.state import State
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, TASK, federation, signer

F = federation()
STATE = F.enrolled(1)
FLAT = to_fixed(np.random.default_rng(5).normal(0, 0.4, LAYOUT.size))
KERNEL, BIAS = "functional/conv", "arith.constant"
INPUT_SCALE = 0.03


@dataclass(frozen=True)
class Stored:
    """A tensor to write: its data in the .tflite's order, and a scale for all or one each along `axis`."""

    data: NDArray[np.integer]
    scales: NDArray[np.float32]
    axis: int = 0


def tflite(tensors: dict[str, Stored]) -> bytes:
    """A .tflite that holds these constants and no operator."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.description = 3, b"test"
    model.buffers, graph.tensors = [schema.BufferT()], []
    for name, stored in tensors.items():
        buffer, tensor, quantisation = schema.BufferT(), schema.TensorT(), schema.QuantizationParametersT()
        buffer.data = np.frombuffer(stored.data.tobytes(), np.uint8)
        quantisation.scale = stored.scales.astype(np.float32)
        quantisation.zeroPoint = np.zeros(len(stored.scales), np.int64)
        quantisation.quantizedDimension = stored.axis
        tensor.name, tensor.shape, tensor.quantization = name, list(stored.data.shape), quantisation
        tensor.type = schema.TensorType.INT8 if stored.data.dtype == np.int8 else schema.TensorType.INT32
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
        graph.tensors.append(tensor)
    graph.inputs, graph.outputs, graph.operators = [], [], []
    model.subgraphs, model.operatorCodes = [graph], []
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def quantised(flat: Int32s = FLAT) -> dict[str, Stored]:
    """The base of LAYOUT as the converter stores it: kernel (4, 1, 3, 2) per channel, bias (4,)."""
    values = LAYOUT.split(to_float(flat))
    kernel = np.moveaxis(np.asarray(values["base0/kernel"], np.float64), -1, 0)
    scales = (np.abs(kernel).reshape(4, -1).max(axis=1) / 127).astype(np.float32)
    scales[scales == 0] = 1.0
    stored = np.rint(kernel / scales[:, None, None]).astype(np.int8).reshape(4, 1, 3, 2)
    bias_scales = (scales * np.float32(INPUT_SCALE)).astype(np.float32)
    bias = np.rint(np.asarray(values["base0/bias"], np.float64) / bias_scales).astype(np.int32)
    return {KERNEL: Stored(stored, scales), BIAS: Stored(bias, bias_scales)}


def manifest(model: bytes, **changes: object) -> Manifest:
    made = Manifest(
        task=TASK,
        version=1,
        kind=Manifest.BASE,
        signer_role=Manifest.RELEASE_KEY,
        sha256=sha256(model).digest(),
        size_bytes=len(model),
        settled_model_digest=MODEL_DIGEST,
        chain_id=F.genesis.chain_id,
        tensors=[
            Tensor(variable="base0/kernel", tensor=KERNEL),
            Tensor(variable="base0/bias", tensor=BIAS),
        ],
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def signed(made: Manifest, model: bytes, who: KeySigner | None = None) -> ReleaseCandidate:
    data = made.SerializeToString()
    signature = (who or F.release).sign(RELEASE_DOMAIN, data)
    return ReleaseCandidate(SignedManifest(manifest=data, signature=signature).SerializeToString(), model)


GOOD = tflite(quantised())


def check(tensors: dict[str, Stored], made: Manifest | None = None, flat: Int32s = FLAT) -> None:
    model = tflite(tensors)
    check_weights(STATE.tasks[TASK], made or manifest(model), model, flat)


def test_an_honest_release_is_approved() -> None:
    candidate = signed(manifest(GOOD), GOOD)
    made = read_manifest(F.genesis, candidate)
    task = check_manifest(STATE, made, ["fall", "activity*"])
    check_weights(task, made, candidate.model, FLAT)
    statement = release_statement(made, candidate)
    assert is_about(statement, candidate)
    assert not is_about(statement, replace(candidate, model=b"other"))
    F.apply(STATE, F.quorum(statement))


@pytest.mark.parametrize(
    ("code", "candidate"),
    [
        ("bad_manifest", ReleaseCandidate(b"\xff\xff", GOOD)),
        ("bad_release_signature", signed(manifest(GOOD), GOOD, signer(66))),
        ("wrong_chain", signed(manifest(GOOD, chain_id=bytes(32)), GOOD)),
        ("wrong_kind", signed(manifest(GOOD, kind=Manifest.PERSONAL), GOOD)),
        ("wrong_kind", signed(manifest(GOOD, signer_role=Manifest.GATEWAY_KEY), GOOD)),
        ("wrong_hash", signed(manifest(GOOD), GOOD + b"\0")),
        ("wrong_hash", signed(manifest(GOOD, size_bytes=1), GOOD)),
    ],
)
def test_a_wrong_manifest_is_refused_by_its_code(code: str, candidate: ReleaseCandidate) -> None:
    with pytest.raises(Rejected) as refused:
        read_manifest(F.genesis, candidate)
    assert refused.value.code == code


def released(state: State) -> State:
    candidate = signed(manifest(GOOD, version=4), GOOD)
    return F.apply(state, F.quorum(release_statement(manifest(GOOD, version=4), candidate)))


@pytest.mark.parametrize(
    ("code", "state", "changes"),
    [
        ("not_our_task", STATE, {"task": "fall"}),
        ("unknown_task", STATE, {"task": "activity-2"}),
        ("stale_model", STATE, {"settled_model_digest": bytes(32)}),
        ("old_version", released(STATE), {"version": 4}),
        ("old_version", released(STATE), {"version": 3}),
    ],
)
def test_a_release_that_does_not_fit_the_chain_is_refused(code: str, state: State, changes: dict[str, object]) -> None:
    with pytest.raises(Rejected) as refused:
        check_manifest(state, manifest(GOOD, **changes), ["activity*"])
    assert refused.value.code == code


def moved(name: str, at: int, by: int) -> dict[str, Stored]:
    tensors = quantised()
    data = tensors[name].data.copy()
    data.reshape(-1)[at] += by
    return {**tensors, name: replace(tensors[name], data=data)}


@pytest.mark.parametrize("name", [KERNEL, BIAS])
@pytest.mark.parametrize("by", [1, -1])
def test_one_weight_off_by_one_step_is_found(name: str, by: int) -> None:
    size = quantised()[name].data.size
    for at in range(size):
        value = int(quantised()[name].data.reshape(-1)[at])
        if name == KERNEL and not -127 <= value + by <= 127:
            continue
        with pytest.raises(Rejected, match="off_model: variable base0/"):
            check(moved(name, at, by))


def test_a_coarse_scale_cannot_hide_another_model() -> None:
    tensors = quantised()
    coarse = replace(tensors[KERNEL], scales=tensors[KERNEL].scales * 50, data=np.zeros((4, 1, 3, 2), np.int8))
    with pytest.raises(Rejected, match="off_model"):
        check({**tensors, KERNEL: coarse})
    values = LAYOUT.split(to_float(FLAT))["base0/kernel"]
    scales = np.float32(1.9 * np.abs(values).max()) * np.ones(4, np.float32)
    stored = np.rint(np.moveaxis(np.asarray(values, np.float64), -1, 0) / scales[0]).astype(np.int8)
    with pytest.raises(Rejected, match="too coarse"):
        check({**tensors, KERNEL: Stored(stored.reshape(4, 1, 3, 2), scales)})


def test_a_channel_of_zeros_may_have_any_scale() -> None:
    flat = FLAT.copy()
    LAYOUT.split(flat)["base0/kernel"][..., 2] = 0
    check(quantised(flat), flat=flat)
    flat[:] = 0
    check(quantised(flat), flat=flat)


def test_one_scale_for_the_whole_tensor_is_allowed_when_it_is_fine_enough() -> None:
    tensors = quantised()
    values = np.moveaxis(np.asarray(LAYOUT.split(to_float(FLAT))["base0/kernel"], np.float64), -1, 0)
    scale = np.array([np.abs(values).max() / 127], np.float32)
    stored = np.rint(values / scale[0]).astype(np.int8).reshape(4, 1, 3, 2)
    check({**tensors, KERNEL: Stored(stored, scale)})


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("not_covered", {"tensors": 1}),
        ("bad_model", {"name": "elsewhere"}),
        ("bad_model", {"axis": 3}),
        ("off_model", {"dtype": 1}),
        ("off_model", {"shape": 1}),
        ("off_model", {"scale": float("nan")}),
        ("off_model", {"scale": -1.0}),
    ],
)
def test_tensors_of_another_form_are_refused(code: str, change: dict[str, object]) -> None:
    tensors, made = quantised(), manifest(GOOD)
    kernel = tensors[KERNEL]
    if "tensors" in change:
        del made.tensors[0]
    if "name" in change:
        made.tensors[0].tensor = "elsewhere"
    if "axis" in change:
        kernel = replace(kernel, axis=3)
    if "dtype" in change:
        kernel = replace(kernel, data=kernel.data.astype(np.int32))
    if "shape" in change:
        kernel = replace(kernel, data=kernel.data[:, :, :2])
    if "scale" in change:
        kernel = replace(kernel, scales=np.full(4, change["scale"], np.float32))
    with pytest.raises(Rejected) as refused:
        check({**tensors, KERNEL: kernel}, made)
    assert refused.value.code == code


def test_what_is_no_tflite_is_refused() -> None:
    with pytest.raises(Rejected, match="bad_model"):
        check_weights(STATE.tasks[TASK], manifest(b"junk"), b"junk" * 100, FLAT)


CANDIDATE = ModelCandidate(TASK, LAYOUT.to_json(), PROGRAM, FLAT.astype("<i4").tobytes())


def test_a_model_is_approved_as_the_tasks_next() -> None:
    statement = approve_model(STATE, CANDIDATE, ["*"])
    assert (statement.sequence, statement.model_digest) == (2, sha256(CANDIDATE.blob).digest())
    assert is_about(statement, CANDIDATE)
    assert not is_about(statement, replace(CANDIDATE, program_digest=bytes(32)))


@pytest.mark.parametrize(
    ("code", "candidate"),
    [
        ("not_our_task", replace(CANDIDATE, task="heartrate")),
        ("bad_model", replace(CANDIDATE, model=bytes(8))),
        ("bad_model", replace(CANDIDATE, layout_json="[]")),
        ("too_large", replace(CANDIDATE, model=np.full(LAYOUT.size, -(1 << 31), "<i4").tobytes())),
    ],
)
def test_a_model_that_does_not_fit_is_refused(code: str, candidate: ModelCandidate) -> None:
    with pytest.raises(Rejected) as refused:
        approve_model(STATE, candidate, ["activity"])
    assert refused.value.code == code


def test_candidates_are_read_back_and_junk_is_not() -> None:
    for candidate in (CANDIDATE, signed(manifest(GOOD), GOOD)):
        assert decode_candidate(encode_candidate(candidate)) == candidate
    with pytest.raises(DecodeError):
        decode_candidate(b"\x85\x00\x00\x00\x00\x00")
