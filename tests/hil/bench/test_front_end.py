"""The front end on an emulated Cortex-M4: whose single-precision unit could fuse what Python rounds twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from salus_edge.frontend.blocks import BLOCKS
from salus_hil.bench.front_end import _cost, build, expected, front_ends, mismatches, signal

needs_tools = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("arm-none-eabi-g++", "qemu-system-arm", "nanopb_generator.py")),
    reason="needs Debian's gcc-arm-none-eabi, qemu-system-arm and nanopb",
)


def test_there_is_one_for_each_block() -> None:
    assert set(BLOCKS) < set(front_ends())


@needs_tools
@pytest.mark.slow
def test_every_window_is_pythons(tmp_path: Path) -> None:
    program = build(tmp_path)
    for name, task in front_ends().items():
        cost = _cost(program, name, task)
        assert cost.windows and not cost.mismatches, name


def test_a_window_that_differs_in_a_bit_is_counted() -> None:
    task = front_ends()["scale"]
    wanted = expected(task, signal(task))
    said = b"".join(
        start.to_bytes(8, "little") + (1200 - 300).to_bytes(4, "little") + bytes(4) + values.tobytes()
        for start, values in zip(wanted.start_ms.tolist(), wanted.windows, strict=True)
    )
    assert mismatches(said, wanted) == 0
    assert mismatches(said[:-1] + bytes([said[-1] ^ 1]), wanted) == 1
    assert mismatches(said + b"\0", wanted) == 1
