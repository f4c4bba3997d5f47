"""The genuine interpreter: what it cannot load or run is a bad model, which is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from salus_edge.errors import Refused
from salus_hil.virtual.engine import load_tflm, tflm_available

ANCHORS = Path(__file__).parents[3] / "shared/anchors"
pytestmark = [
    pytest.mark.skipif(not tflm_available(), reason="no tflite-micro wheel for this platform"),
    pytest.mark.skipif(not ANCHORS.is_dir(), reason=f"no {ANCHORS}"),
]
ARENA_BYTES = 32768


@pytest.fixture(scope="module")
def model() -> bytes:
    return (ANCHORS / "cnn_43k_int8.tflite").read_bytes()


def code(model: bytes, shape: tuple[int, ...] = (128, 3), arena_bytes: int = ARENA_BYTES) -> str:
    with pytest.raises(Refused) as caught:
        load_tflm(model, arena_bytes).run(np.zeros((1, *shape), np.int8))
    return caught.value.code


@pytest.mark.parametrize("length", [0, 3, 8, 2000, 6000])
def test_a_cut_off_model_is_a_bad_model(model: bytes, length: int) -> None:
    assert code(model[:length]) == "bad_model"


def test_noise_and_holes_are_a_bad_model(model: bytes) -> None:
    assert code(np.random.default_rng(0).bytes(5000)) == "bad_model"
    assert code(model[:3000] + bytes(len(model) - 3000)) == "bad_model"


def test_too_small_an_arena_is_a_bad_model(model: bytes) -> None:
    assert code(model, arena_bytes=512) == "bad_model"


def test_a_model_for_other_windows_is_a_bad_model(model: bytes) -> None:
    assert code(model, shape=(160, 8)) == "bad_model"
