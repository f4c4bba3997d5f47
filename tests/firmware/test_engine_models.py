"""Whole converted models against TFLM: the goal's 100 models times 100 inputs, and the anchor's."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.engine import PortableEngine, Tflm
from tests.firmware.random_models import OPERATORS, operators_of, random_inputs, random_model

ANCHORS = Path(__file__).parents[3] / "shared" / "anchors"
FOLDED_AWAY = {"EXPAND_DIMS", "QUANTIZE"}
"""Operators that the converter replaces in fixed shapes; test_engine_nodes has them."""


def compare(library: Path, seed: int, count: int) -> tuple[int, set[str]]:
    """How many outputs differ, and what the model consists of."""
    model = random_model(seed)
    operators, shape = operators_of(model)
    assert operators <= OPERATORS, f"the generator made {operators - OPERATORS}"
    inputs = random_inputs(shape, seed, count)
    engine = PortableEngine(library, model)
    assert engine.status == "ok", f"model {seed}: {operators}"
    return int(np.count_nonzero(engine.run(inputs) != Tflm(model).run(inputs))), operators


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_random_models_compute_what_tflm_computes(library: Path) -> None:
    pytest.importorskip("tensorflow")
    used: Counter[str] = Counter()
    for seed in range(100):
        different, operators = compare(library, seed, 100)
        assert different == 0, f"model {seed}: {different} outputs differ ({operators})"
        used.update(operators)
    assert set(used) >= OPERATORS - FOLDED_AWAY


@pytest.mark.skipif(not (ANCHORS / "cnn_43k_int8.tflite").exists(), reason="the anchors are not here")
def test_the_anchor_model_computes_what_tflm_computed(library: Path) -> None:
    engine = PortableEngine(library, (ANCHORS / "cnn_43k_int8.tflite").read_bytes())
    outputs = engine.run(np.load(ANCHORS / "cnn_43k_inputs.npy"))
    assert np.array_equal(outputs, np.load(ANCHORS / "cnn_43k_tflm_outputs.npy"))
    assert engine.arena_used_bytes() <= 3200
