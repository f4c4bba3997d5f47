"""The integer layers give the very bytes of TFLM, in the template that a wearable runs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_coordinator.model.layers import layout
from salus_coordinator.model.oracle import Oracle
from salus_coordinator.model.template import personal_template
from salus_edge.personal_release import Dense, Quantisation, check_template, fill, quantise_layers, run
from salus_edge.personal_release.build import regions
from salus_edge.personal_release.dense import quantised_multiplier
from salus_edge.task import Layer
from tests.edge.personal_release.world import some_features, task, weights

pytest.importorskip("tflite_micro", reason="the oracle's wheel is for x86-64 Linux")

TRUNKS = {
    "fall": None,
    "activity": None,
    "exercise": (),
    "fall, two layers": (Layer(layer="dense", units=20, relu=True), Layer(layer="dense", units=12)),
}


def tflm(
    model: bytes, x: np.ndarray[tuple[int, ...], np.dtype[np.int8]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    interpreter = Oracle(model)._interpreter
    outputs = []
    for row in x:
        interpreter.set_input(row[None], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0).reshape(-1).copy())
    return np.stack(outputs)


@pytest.mark.parametrize("name", TRUNKS)
def test_no_byte_differs_from_tflm(name: str) -> None:
    of = task(name.split(",")[0], TRUNKS[name])
    template = personal_template(of)
    for seed in range(10):
        seen, unseen = some_features(of, seed), some_features(of, 100 + seed)
        layers = quantise_layers(of, layout(of), weights(of, seed), seen)
        model = fill(template.message, template.content, regions(layers))
        check_template(template.message, model)
        for x in (seen, unseen, np.full_like(seen[:1], -128), np.full_like(seen[:1], 127)):
            np.testing.assert_array_equal(run(layers, x), tflm(model, x))


def test_weights_of_zero_give_the_biases() -> None:
    after = Quantisation(0.5, 0)
    kernel, bias = np.zeros((4, 2), np.float32), np.array([3.0, -2.0], np.float32)
    layer = Dense.quantise("head", kernel, bias, Quantisation(1.0, 0), after, False, 4)
    out = layer.run(np.full((1, 4), 100, np.int8))
    np.testing.assert_array_equal(out, [[6, -4, 0, 0]])


@given(st.floats(1e-9, 1e6))
def test_a_multiplier_is_the_nearest_31_bit_fraction(real: float) -> None:
    fixed, shift = quantised_multiplier(real)
    assert abs(fixed * 2.0 ** (shift - 31) - real) <= real * 2.0**-31
    assert 2**30 <= fixed < 2**31


def test_a_multiplier_too_small_to_matter_is_none() -> None:
    assert quantised_multiplier(2.0**-40) == (0, 0)
