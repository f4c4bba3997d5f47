"""Each operator alone, against TFLM, with quantisations that no converter would choose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.firmware import golden_engine
from tests.firmware.engine import PortableEngine, Tflm
from tests.firmware.random_models import OPERATORS, operators_of, random_inputs
from tests.firmware.random_nodes import model_of, random_chain, random_node


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


def test_nodes_after_each_other_compute_what_tflm_computes(library: Path) -> None:
    for seed in range(20):
        nodes = random_chain(seed)
        model = model_of(*nodes)
        inputs = random_inputs(nodes[0].tensors[0].shape, seed, 10)
        assert np.array_equal(PortableEngine(library, model).run(inputs), Tflm(model).run(inputs)), seed


def test_the_golden_vectors_are_what_tflm_computes(library: Path) -> None:
    names = set()
    for name, model, stored, output in golden_engine.read():
        operators, shape = operators_of(model)
        inputs = np.frombuffer(stored, np.int8).reshape(1, *shape)
        assert PortableEngine(library, model).run(inputs).tobytes() == output, name
        assert Tflm(model).run(inputs).tobytes() == output, name
        named = name.rpartition("_")[0].upper()
        assert named == golden_engine.CHAIN or operators == {named}
        names.add(named)
    assert names == OPERATORS | {golden_engine.CHAIN}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_an_operator_computes_what_tflm_computes_over_many_draws(library: Path, operator: str) -> None:
    assert sum(mismatches(library, operator, seed, 20) for seed in range(100, 400)) == 0
