"""The int8 base in the genuine TFLM interpreter against the float model, and the gates around it."""

from __future__ import annotations

import flatbuffers
import msgspec
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from salus_chain.node.settling.tflite import read_constants
from salus_coordinator.errors import ModelError
from salus_coordinator.model import forward, oracle
from salus_coordinator.model.device import ALIGNMENT, Scale, kernel_scales
from salus_coordinator.model.layers import initial, layout, rows
from salus_coordinator.model.quantise import Reference, feature_scale, golden_indices, input_scale, quantise
from salus_edge.task import Budget, Task
from tests.coordinator.tasks import reference, small_task

pytest.importorskip("tflite_micro", reason="tflite-micro has a wheel for x86-64 Linux only")
TASK = small_task()
FLAT = initial(TASK, np.random.default_rng(2)) + np.float32(0.01)  # no bias is 0
REFERENCE = reference(TASK, 120)
WEIGHTS = {name: np.asarray(value, np.float32) for name, value in layout(TASK).split(FLAT).items()}


def test_tflm_features_are_within_two_steps_of_the_float_model() -> None:
    made = quantise(TASK, FLAT, REFERENCE)
    out = oracle.Oracle(made.model).run(made.input.quantise(REFERENCE.windows))
    wanted = forward.features(rows(TASK), WEIGHTS, made.input.dequantise(made.input.quantise(REFERENCE.windows)))
    assert np.abs(feature_scale(TASK).dequantise(out) - wanted).max() <= 2 * TASK.feature.scale


def test_goldens_are_what_tflm_computes() -> None:
    made = quantise(TASK, FLAT, REFERENCE)
    again = oracle.Oracle(made.model)
    for window, feature in zip(made.golden_inputs, made.golden_features, strict=True):
        q = np.frombuffer(window, np.int8).reshape(1, *REFERENCE.windows.shape[1:])
        assert again.run(q).tobytes() == feature


def test_goldens_cover_the_classes() -> None:
    assert golden_indices(np.array([2, 2, 0, 1, 0])) == [2, 3, 0, 1]


def test_the_model_loads_in_the_arena_that_it_names() -> None:
    made = quantise(TASK, FLAT, REFERENCE)
    oracle.Oracle(made.model, made.arena_bytes)
    with pytest.raises(ModelError, match="tflm_refuses"):
        oracle.Oracle(made.model, made.arena_bytes // 4)


def test_tensors_carry_the_layouts_names_and_half_a_step_of_error() -> None:
    made = quantise(TASK, FLAT, REFERENCE)
    names = layout(TASK).names(["base"])
    constants = read_constants(made.model, frozenset(names))
    for name in names:
        value = WEIGHTS[name] if WEIGHTS[name].ndim == 1 else np.moveaxis(WEIGHTS[name], -1, 0)
        scales, stored = constants[name].scales, constants[name].stored
        back = stored.reshape(len(scales), -1) * scales[:, None].astype(np.float64)
        assert (np.abs(back - value.reshape(len(scales), -1)) <= scales[:, None] * 0.5001).all()


def test_every_buffer_is_aligned_for_a_microcontroller() -> None:
    made = quantise(TASK, FLAT, REFERENCE)
    for constant in read_constants(made.model, frozenset(layout(TASK).names(["base"]))).values():
        assert made.model.find(constant.stored.tobytes()) % ALIGNMENT == 0


def test_the_same_weights_give_the_same_bytes() -> None:
    assert quantise(TASK, FLAT, REFERENCE) == quantise(TASK, FLAT, REFERENCE)


def test_the_input_scale_depends_on_the_reference_set_alone() -> None:
    assert quantise(TASK, FLAT, REFERENCE).input == quantise(TASK, -FLAT, REFERENCE).input
    assert input_scale(REFERENCE.windows).zero_point == 0


def test_kernels_of_zeros_have_a_scale() -> None:
    assert (kernel_scales(np.zeros((3, 2, 4), np.float32)) > 0).all()


def test_scale_saturates_and_inverts() -> None:
    scale = Scale(0.5, 3)
    assert scale.quantise(np.array([1000.0, -1000.0, 1.0], np.float32)).tolist() == [127, -128, 5]
    assert scale.dequantise(np.array([5], np.int8)).tolist() == [1.0]


def over(**budget: int) -> Task:
    roomy = {"flash_bytes": 10**6, "arena_bytes": 10**6, "macs": 10**6}
    return msgspec.structs.replace(TASK, budget=Budget(**{**roomy, **budget}))


@pytest.mark.parametrize(
    ("task", "said"),
    [
        (over(flash_bytes=100), "flash .* layer base0"),
        (over(arena_bytes=100), "arena .* layer base0"),
        (over(macs=100), "work .* layer base0"),
    ],
    ids=["flash", "arena", "macs"],
)
def test_a_budget_that_is_broken_names_the_layer(task: Task, said: str) -> None:
    with pytest.raises(ModelError, match=f"over_budget: {said}"):
        quantise(task, FLAT, REFERENCE)


def test_losing_more_than_a_point_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    table = rows(TASK)
    right = forward.logits(table, WEIGHTS, forward.features(table, WEIGHTS, REFERENCE.windows)).argmax(axis=1)
    genuine = oracle.Oracle.run
    monkeypatch.setattr(oracle.Oracle, "run", lambda self, windows: np.full_like(genuine(self, windows), -128))
    with pytest.raises(ModelError, match="quantisation_loss"):
        quantise(TASK, FLAT, Reference(REFERENCE.windows, right))


def test_an_operator_that_tflm_lacks_is_named() -> None:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(quantise(TASK, FLAT, REFERENCE).model, 0))
    model.operatorCodes[0].builtinCode = model.operatorCodes[0].deprecatedBuiltinCode = schema.BuiltinOperator.SIN
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    with pytest.raises(ModelError, match="unsupported_operator: SIN"):
        oracle.operators(bytes(builder.Output()))
