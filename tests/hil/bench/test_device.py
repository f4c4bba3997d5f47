"""The engine's DSP kernels on the emulated Cortex-M4: as exact as the portable ones, and within the goals."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from salus_hil.bench import Program, build, measure, run
from salus_hil.errors import ConfigError
from tests.firmware.engine import Tflm
from tests.firmware.random_models import OPERATORS, operators_of, random_inputs, random_model
from tests.firmware.random_nodes import model_of, random_node

ANCHOR = Path(__file__).parents[4] / "shared" / "anchors" / "cnn_43k_int8.tflite"
WITH_DSP_CODE = {"CONV_2D": 6, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 6, "MAX_POOL_2D": 3}
"""How many nodes of each operator the short test runs; the others' code is the host's."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    for tool in ("arm-none-eabi-g++", "qemu-system-arm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    pytest.importorskip("tflite_micro", reason="tflite-micro has a wheel for x86-64 Linux only")
    return build(tmp_path_factory.mktemp("bench"))


def differ(program: Program, model: bytes, shape: tuple[int, ...], seed: int, count: int) -> int:
    inputs = random_inputs(shape, seed, count)
    answer = run(program.path, model, inputs, 1 << 20)
    assert answer.status == "ok"
    return int(np.count_nonzero(answer.outputs != Tflm(model).run(inputs)))


@pytest.mark.parametrize("operator", sorted(WITH_DSP_CODE))
def test_the_dsp_kernels_compute_what_tflm_computes(program: Program, operator: str) -> None:
    for seed in range(WITH_DSP_CODE[operator]):
        node = random_node(operator, seed)
        assert differ(program, model_of(node), node.tensors[0].shape, seed, 10) == 0, seed


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("operator", sorted(OPERATORS))
def test_every_operator_computes_on_the_device_what_tflm_computes(program: Program, operator: str) -> None:
    for seed in range(50, 50 + 10 * WITH_DSP_CODE.get(operator, 1)):
        node = random_node(operator, seed)
        assert differ(program, model_of(node), node.tensors[0].shape, seed, 10) == 0, seed


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_random_models_compute_on_the_device_what_tflm_computes(program: Program) -> None:
    pytest.importorskip("tensorflow")
    for seed in range(200, 230):
        model = random_model(seed)
        assert differ(program, model, operators_of(model)[1], seed, 10) == 0, seed


@pytest.mark.skipif(not ANCHOR.exists(), reason="the anchors are not here")
def test_the_anchor_model_is_within_the_goals(program: Program) -> None:
    measured = measure(ANCHOR)
    assert (measured.mismatches, measured.outputs) == (0, 4000)
    assert measured.instructions <= 1_000_000
    assert measured.text_bytes <= 20_000
    assert measured.arena_bytes <= 3_200
    assert set(json.loads(measured.to_json())) >= {"instructions", "text_bytes", "arena_bytes", "mismatches", "outputs"}


def test_a_missing_model_is_the_caller_s_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        measure(tmp_path / "nothing.tflite")
