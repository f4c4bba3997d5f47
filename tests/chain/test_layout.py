from __future__ import annotations

import numpy as np
import pytest

from salus_chain.errors import DecodeError
from salus_chain.layout import Layout
from tests.chain.federation import LAYOUT, SHARED


def test_a_layout_has_one_spelling_and_is_read_back() -> None:
    assert Layout.from_json(LAYOUT.to_json()) == LAYOUT
    assert Layout.from_json(LAYOUT.to_json()).digest == LAYOUT.digest


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "7",
        '[["a",[2],"base"] ]',
        '[["a",[0],"base"]]',
        '[["a",[],"base"]]',
        '[["a",[2],"tail"]]',
        '[["a",[2],"base"],["a",[2],"base"]]',
        '[["a",[2],"head"],["b",[2],"base"]]',
        '[["a",[2]]]',
        '[["a",["x"],"base"]]',
    ],
)
def test_another_spelling_or_an_impossible_layout_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match="not a layout"):
        Layout.from_json(text)


def test_indices_and_split_agree_on_where_a_variable_is() -> None:
    flat = np.arange(LAYOUT.size)
    parts = LAYOUT.split(flat)
    wanted = np.concatenate([parts[name].ravel() for name in SHARED])
    assert np.array_equal(flat[LAYOUT.indices(SHARED)], wanted)
    assert LAYOUT.names(["trunk", "head"]) == SHARED
    assert LAYOUT.indices(()).size == 0
    with pytest.raises(KeyError, match="nothing"):
        LAYOUT.indices(["nothing"])
