from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.consensus.messages import Decided, Message, Prepared, Type
from salus_chain.errors import DecodeError
from salus_chain.node.network.wire import (
    MAX_FRAME_BYTES,
    PROTOCOL,
    Body,
    Bye,
    Frame,
    Get,
    Hello,
    Stated,
    Txs,
    decode_frame,
    decode_lock,
    encode_frame,
    encode_lock,
)
from salus_chain.rules.transactions import Seal, Settle
from tests.chain.federation import federation

F = federation()
H = bytes([1]) * 32
BLOCK, _ = F.block(F.enrolled(1))
SEALS = tuple(Seal(seat, bytes([seat]) * 64) for seat in range(3))
CHANGE = Message(Type.ROUND_CHANGE, 4, 3, H, 2, bytes(64), 1, certificate=SEALS)
FRAMES: list[Frame] = [
    Hello(PROTOCOL, H, F.genesis.keys[0]),
    Bye("why"),
    Message(Type.PROPOSAL, 4, 0, BLOCK.digest, 1, bytes(64), block=BLOCK),
    Message(Type.PROPOSAL, 4, 3, BLOCK.digest, 1, bytes(64), -1, BLOCK, SEALS, (CHANGE.bare,)),
    CHANGE,
    Message(Type.COMMIT, 4, 2, H, 1, bytes(64)),
    Decided(BLOCK, F.certify(BLOCK)),
    Get(7, 1),
    Get(7, 1, H),
    Body(BLOCK),
    Txs(()),
    Txs((b"bytes", b"more")),
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


@pytest.mark.parametrize("item", [b"\x80", b"\x81\x00", b"\x00"], ids=bytes.hex)
@pytest.mark.parametrize("start", [b"", encode_frame(Txs(()))[:2], encode_frame(Bye(""))[:2]], ids=bytes.hex)
def test_a_frame_of_many_small_items_is_refused_at_once(start: bytes, item: bytes) -> None:
    room = MAX_FRAME_BYTES - len(start) - 5
    count = room // len(item)
    began_s = time.process_time()
    with pytest.raises(DecodeError, match="more than 16384 items"):
        decode_frame(start + b"\x9a" + count.to_bytes(4, "big") + item * count)
    assert time.process_time() - began_s < 0.5


def test_the_largest_frames_are_within_the_limit_of_items() -> None:
    seats = 256
    seals = tuple(Seal(seat, bytes(64)) for seat in range(seats))
    changes = tuple(replace(CHANGE.bare, seat=seat) for seat in range(seats))
    block = replace(BLOCK, transactions=tuple(bytes(300) for _ in range(2_000)))
    frame = Message(Type.PROPOSAL, 4, 3, BLOCK.digest, 1, bytes(64), -1, block, seals, changes)
    assert decode_frame(encode_frame(frame)) == frame


def test_a_lock_is_read_back() -> None:
    lock = Prepared(2, BLOCK, SEALS)
    assert decode_lock(encode_lock(lock)) == lock


def test_a_vote_inside_a_vote_carries_no_more_of_them() -> None:
    inner = Message(Type.PROPOSAL, 4, 3, BLOCK.digest, 1, bytes(64), -1, BLOCK, SEALS, (CHANGE.bare,))
    outer = Message(Type.PROPOSAL, 4, 3, BLOCK.digest, 1, bytes(64), -1, BLOCK, SEALS, (inner,))
    with pytest.raises(DecodeError, match="neither block nor votes"):
        decode_frame(encode_frame(outer))
