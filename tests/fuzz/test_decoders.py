"""The same decoders under hypothesis, and a short run of atheris where it is installed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.decoders import CASES, NAMES, run, seeds

SEEDS = seeds()


@pytest.mark.parametrize("name", NAMES)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_raise_only_the_decoders_own_error(name: str, data: bytes) -> None:
    run(bytes([NAMES.index(name)]) + data)


@given(st.sampled_from(SEEDS), st.data())
def test_a_good_input_with_a_few_bytes_changed_raises_only_the_decoders_own_error(
    seed: bytes, data: st.DataObject
) -> None:
    raw = bytearray(seed)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(1, len(raw) - 1))] = data.draw(st.integers(0, 255))
    run(bytes(raw[: data.draw(st.integers(1, len(raw)))]))


def test_the_seeds_are_good_and_of_many_decoders() -> None:
    for seed in SEEDS:
        CASES[NAMES[seed[0]]][0](seed[1:])
    assert len({seed[0] for seed in SEEDS}) >= 8


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed (extra `fuzz`)")
def test_atheris_finds_nothing_in_a_few_seconds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.decoders", "-max_total_time=20", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr[-3_000:]
