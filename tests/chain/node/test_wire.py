from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.consensus.core import Decided, Message, Type
from salus_chain.errors import DecodeError
from salus_chain.node.wire import PROTOCOL, Bye, Frame, Get, Hello, Stated, Tx, decode_frame, encode_frame
from salus_chain.rules.transactions import Settle
from tests.chain.federation import federation

F = federation()
H = bytes([1]) * 32
BLOCK, _ = F.block(F.enrolled(1))
FRAMES: list[Frame] = [
    Hello(PROTOCOL, H, F.genesis.keys[0]),
    Message(Type.PROPOSAL, 4, 0, BLOCK.digest, 1, bytes(64), BLOCK),
    Message(Type.COMMIT, 4, 2, H, 1, bytes(64)),
    Decided(BLOCK, F.certify(BLOCK)),
    Bye("why"),
    Get(7),
    Tx(b"bytes"),
    Stated(Settle("fall", 1, H, H, H, H), 2, bytes(64)),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_frame_is_read_back(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame)) == frame


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_only_decode_error(data: bytes) -> None:
    with suppress(DecodeError):
        decode_frame(data)


@given(st.sampled_from(FRAMES), st.data())
def test_a_flipped_bit_reads_as_something_else_or_not_at_all(frame: Frame, data: st.DataObject) -> None:
    raw = bytearray(encode_frame(frame))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with suppress(DecodeError):
        assert decode_frame(bytes(raw)) != frame
