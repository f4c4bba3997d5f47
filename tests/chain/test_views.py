from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.errors import DecodeError
from salus_chain.views import ReleaseView, RoundView, TaskView, TxStatus, from_json, to_json
from tests.chain.federation import TASK, federation

F = federation()
H = bytes([1]) * 32
OPEN = F.opened(F.enrolled()).rounds[TASK].open
VIEWS = [
    TaskView(TASK, 3, H, '[["a",[1],"base"]]', H, 2, ReleaseView(1, H, H, H)),
    TaskView(TASK, 0, H, "[]", H, 1, None),
    RoundView(TASK, 1, "open", OPEN, H, 9, 4, None, None, H, None, None, {"g": H}, {"g": 2}, (H,), ""),
    TxStatus("dropped", 0, "wrong_nonce", "nonce 2 where 1 is next"),
]


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_is_read_back(view: object) -> None:
    assert from_json(to_json(view), type(view)) == view


def test_digests_are_readable() -> None:
    assert b'"0x' + H.hex().encode() + b'"' in to_json(VIEWS[0])


@given(st.binary(max_size=100) | st.text(max_size=50).map(str.encode))
def test_arbitrary_bytes_raise_only_decode_error(data: bytes) -> None:
    with suppress(DecodeError):
        from_json(data, TaskView)


@pytest.mark.parametrize("data", [b'{"status":"final","height":"7"}', b'{"status":"odd"}', b"[]", b'{"status":"0x00"}'])
def test_another_shape_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        from_json(data, TxStatus)
