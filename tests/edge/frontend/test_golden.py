"""The golden vectors, which the firmware's tests replay too, are what this front end gives."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salus_edge.frontend.blocks import BLOCKS
from tests.edge.frontend.golden import FOLDER, cases, steps_of, text

CASES = cases()


def test_there_is_a_file_for_each_case_and_a_case_for_each_block() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(CASES)
    assert set(BLOCKS) <= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_file_is_what_this_front_end_gives_for_its_samples(name: str) -> None:
    """Samples from the file, for a C library's sine may differ from the one that made them."""
    content = (FOLDER / f"{name}.txt").read_text()
    assert content.count("\nwindow ") >= 2
    assert text(replace(CASES[name], steps=steps_of(content))) == content
