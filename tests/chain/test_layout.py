from __future__ import annotations

import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        '[["a",[1e999],"base"]]',
        '[["a",[2.5],"base"]]',
        '[["a",[99999999],"base"]]',
        "[" * 50_000,
        '[["a",[' + "9" * 5_000 + '],"base"]]',
    ],
)
def test_another_spelling_or_an_impossible_layout_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match="not a layout"):
        Layout.from_json(text)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_arbitrary_json_raises_only_decode_error(value: object) -> None:
    with suppress(DecodeError):
        Layout.from_json(json.dumps(value))


def test_indices_and_split_agree_on_where_a_variable_is() -> None:
    flat = np.arange(LAYOUT.size)
    parts = LAYOUT.split(flat)
    wanted = np.concatenate([parts[name].ravel() for name in SHARED])
    assert np.array_equal(flat[LAYOUT.indices(SHARED)], wanted)
    assert LAYOUT.names(["trunk", "head"]) == SHARED
    assert LAYOUT.indices(()).size == 0
    with pytest.raises(KeyError, match="nothing"):
        LAYOUT.indices(["nothing"])
