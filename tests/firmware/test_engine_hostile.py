"""Models that lie, are cut short or damaged: a status, never a crash (the library is built with UBSan)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from tests.firmware.engine import PortableEngine
from tests.firmware.random_models import OPERATORS, random_inputs
from tests.firmware.random_nodes import Node, Tensor, model_of, random_node


@pytest.fixture
def model() -> bytes:
    return model_of(random_node("CONV_2D", 3))


def test_a_model_cut_short_anywhere_is_refused_or_runs(library: Path, model: bytes) -> None:
    statuses = {PortableEngine(library, model[:size]).status for size in range(0, len(model) - 1, 3)}
    assert "malformed" in statuses
    assert statuses <= {"malformed", "unsupported", "ok"}  # what lies behind the last byte that is read may go


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_a_model_with_damaged_bytes_is_refused_or_runs(library: Path, operator: str) -> None:
    rng = np.random.default_rng(1)
    node = random_node(operator, 5)
    whole = model_of(node)
    for _ in range(150):
        damaged = bytearray(whole)
        for at in rng.integers(0, len(whole), int(rng.integers(1, 4))):
            damaged[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))]))
        engine = PortableEngine(library, bytes(damaged))
        if engine.status == "ok":
            engine.run_any()


def test_a_small_arena_is_refused_and_the_reported_one_is_enough(library: Path, model: bytes) -> None:
    needed = PortableEngine(library, model).arena_used_bytes()
    assert PortableEngine(library, model, needed).status == "ok"
    assert PortableEngine(library, model, needed - 1).status == "arena_too_small"
    assert PortableEngine(library, model, 0).status == "arena_too_small"


def test_an_operator_that_no_base_layer_has_is_unsupported(library: Path) -> None:
    source = Tensor((1, 4), (0.1,))
    node = Node("TANH", None, [source, Tensor((1, 4), (1 / 128,))])
    assert PortableEngine(library, model_of(node)).status == "unsupported"


def test_an_output_of_another_shape_than_the_convolution_makes_is_malformed(library: Path) -> None:
    node = random_node("CONV_2D", 3)
    batch, height, width, filters = node.tensors[-1].shape
    node.tensors[-1].shape = (batch, height, width + 1, filters)
    assert PortableEngine(library, model_of(node)).status == "malformed"


def test_a_concatenation_that_would_rescale_is_unsupported_as_in_tflm(library: Path) -> None:
    node = random_node("CONCATENATION", 3)
    node.tensors[1].scales = (node.tensors[0].scales[0] * 2,)
    assert PortableEngine(library, model_of(node)).status == "unsupported"


def test_a_bias_that_overflows_the_fast_path_is_still_exact(library: Path) -> None:
    """|sum| may reach 2^31: the general rescaling takes over."""
    from tests.firmware.engine import Tflm

    options = schema.FullyConnectedOptionsT()
    bias = np.array([2**30 + 7, -(2**30) - 7, 2**29, -(2**29)], np.int32)
    weights = np.arange(-16, 16, dtype=np.int8).reshape(4, 8)
    node = Node(
        "FULLY_CONNECTED",
        options,
        [
            Tensor((1, 8), (0.5,), 3),
            Tensor((4, 8), (2.0**-20,) * 4, data=weights),
            Tensor((4,), (2.0**-21,) * 4, data=bias),
            Tensor((1, 4), (4.0,), -1),
        ],
    )
    model = model_of(node)
    inputs = random_inputs((1, 8), 0, 50)
    assert np.array_equal(PortableEngine(library, model).run(inputs), Tflm(model).run(inputs))
