"""Frames: what is sent comes back, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_hil.console.frames import MAX_FRAME_BYTES, Noise, Payload, Reader, encode_frame

payloads = st.lists(st.binary(max_size=700), max_size=5)


@given(payloads, st.lists(st.integers(1, 400)))
def test_frames_come_back_however_the_bytes_are_cut(sent: list[bytes], cuts: list[int]) -> None:
    wire, reader = b"".join(map(encode_frame, sent)), Reader()
    found: list[Payload | Noise] = []
    for cut in cuts:
        found += reader.feed(wire[:cut])
        wire = wire[cut:]
    found += reader.feed(wire)
    assert found == [Payload(each) for each in sent]


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_frame_after_any_noise_is_read(noise: bytes, payload: bytes) -> None:
    *before, last = Reader().feed(noise + encode_frame(payload))
    assert last == Payload(payload)
    assert all(isinstance(each, Noise) for each in before)


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_damaged_frame_is_none(payload: bytes, data: st.DataObject) -> None:
    wire = bytearray(encode_frame(payload))
    at = data.draw(st.integers(1, len(wire) - 2))
    wire[at] ^= data.draw(st.integers(1, 255))
    assert Payload(payload) not in list(Reader().feed(bytes(wire)))


def test_the_wire_format() -> None:
    assert encode_frame(b"\x00") == bytes.fromhex("00 01 05 8d ef 02 d2 00")


@pytest.mark.parametrize("over", [0, 1])
def test_the_longest_frame(over: int) -> None:
    found = list(Reader().feed(encode_frame(b"\x01" * (MAX_FRAME_BYTES + over * 300))))
    assert isinstance(found[0], Noise if over else Payload)


def test_a_flood_is_bounded_and_ends_at_a_zero() -> None:
    reader = Reader()
    for _ in range(100):
        found = list(reader.feed(b"\x55" * 4096))
        assert all(isinstance(each, Noise) and each.why == "too_long" for each in found)
        assert len(reader._raw) <= MAX_FRAME_BYTES * 2
    assert list(reader.feed(encode_frame(b"after"))) == [Payload(b"after")]


def test_what_is_left_at_the_end_is_noise() -> None:
    reader = Reader()
    assert not list(reader.feed(b"abc"))
    assert list(reader.end()) == [Noise(b"abc", "unended")]
    assert not list(reader.end())
