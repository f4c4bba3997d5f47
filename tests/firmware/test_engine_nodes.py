"""Each operator alone, against TFLM, with quantisations that no converter would choose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.firmware.engine import PortableEngine, Tflm
from tests.firmware.random_models import OPERATORS, random_inputs
from tests.firmware.random_nodes import model_of, random_node


def mismatches(library: Path, operator: str, seed: int, count: int) -> int:
    node = random_node(operator, seed)
    model = model_of(node)
    inputs = random_inputs(node.tensors[0].shape, seed, count)
    engine = PortableEngine(library, model)
    assert engine.status == "ok", f"{operator} {seed}"
    return int(np.count_nonzero(engine.run(inputs) != Tflm(model).run(inputs)))


@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_an_operator_computes_what_tflm_computes(library: Path, operator: str) -> None:
    assert sum(mismatches(library, operator, seed, 10) for seed in range(15)) == 0


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_an_operator_computes_what_tflm_computes_over_many_draws(library: Path, operator: str) -> None:
    assert sum(mismatches(library, operator, seed, 20) for seed in range(100, 400)) == 0
