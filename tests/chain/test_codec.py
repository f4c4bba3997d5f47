from __future__ import annotations

import resource
import tracemalloc
from contextlib import suppress

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.codec import (
    INT_MAX,
    INT_MIN,
    MAX_DEPTH,
    Value,
    decode,
    encode,
    fields,
    has_more_items,
    identifier,
    integer,
    items,
    octets,
    text,
)
from salus_chain.errors import DecodeError

values = st.recursive(
    st.integers(INT_MIN, INT_MAX) | st.binary(max_size=40),
    lambda inner: st.lists(inner, max_size=5).map(tuple),
    max_leaves=20,
).filter(lambda value: depth(value) <= MAX_DEPTH)


def depth(value: Value) -> int:
    return 1 + max(map(depth, value), default=0) if isinstance(value, tuple) else 0


@given(values)
def test_what_is_written_is_read_back(value: Value) -> None:
    assert decode(encode(value)) == value


@given(values, values)
def test_two_values_never_share_bytes(one: Value, other: Value) -> None:
    assert (encode(one) == encode(other)) == (one == other)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_only_decode_error(data: bytes) -> None:
    with suppress(DecodeError):
        assert encode(decode(data)) == data


@given(values, st.data())
def test_a_flipped_bit_never_reads_as_the_same_value(value: Value, data: st.DataObject) -> None:
    raw = bytearray(encode(value))
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    with suppress(DecodeError):
        assert decode(bytes(raw)) != value


@pytest.mark.parametrize(
    "data",
    [
        bytes.fromhex("1801"),  # 1 in two bytes
        bytes.fromhex("9f01ff"),  # an indefinite array
        bytes.fromhex("5f4101ff"),  # an indefinite byte string
        bytes.fromhex("f93c00"),  # a float
        bytes.fromhex("6161"),  # text
        bytes.fromhex("f5"),  # true
        bytes.fromhex("f6"),  # null
        bytes.fromhex("a10102"),  # a map
        bytes.fromhex("c249010000000000000000"),  # a bignum of 65 bits
        bytes.fromhex("3bffffffffffffffff"),  # below int64
        bytes.fromhex("0101"),  # something after the end
        bytes.fromhex("5a7fffffff"),  # a length without its bytes
        bytes.fromhex("9b00ffffffffffffff"),  # as an array
        b"\x81" * 5_000,
        b"",
        cbor2.dumps([b"a", [1.5]]),
    ],
)
def test_every_other_spelling_and_type_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def count(value: Value) -> int:
    return 1 + sum(map(count, value)) if isinstance(value, tuple) else 1


@given(values)
def test_items_are_counted_at_every_depth(value: Value) -> None:
    data, whole = encode((value, bytes(100))), count((value, b""))
    assert not has_more_items(data, whole) and has_more_items(data, whole - 1)
    assert decode(data, max_items=whole) == (value, bytes(100))


@given(st.binary(max_size=200), st.integers(0, 20))
def test_counting_items_takes_any_bytes_and_never_refuses_what_is_within(data: bytes, most: int) -> None:
    counted = has_more_items(data, most)
    with suppress(DecodeError):
        assert counted == (count(decode(data)) > most)


@pytest.mark.parametrize("item", [b"\x00", b"\x80", b"\x81\x00", b"\xa0", b"\x40"], ids=bytes.hex)
def test_many_small_items_cost_no_memory(item: bytes) -> None:
    size = (4 << 20) // len(item)
    data = b"\x9a" + size.to_bytes(4, "big") + item * size
    tracemalloc.start()
    with pytest.raises(DecodeError, match="more than 1000 items"):
        decode(data, max_items=1_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 16


@pytest.mark.parametrize("head", [b"\x9a\xff\xff\xff\xff", b"\x9b\x0f" + b"\xff" * 7, b"\x5b\x00\x00\x01" + bytes(5)])
def test_a_length_that_is_not_there_costs_no_memory(head: bytes) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(DecodeError):
        decode(head + bytes(100))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 << 10


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(DecodeError, match="at most 10"):
        decode(encode(bytes(20)), max_bytes=10)


@pytest.mark.parametrize("value", [True, 1.5, "text", None, [1], INT_MAX + 1, INT_MIN - 1])
def test_writing_another_type_is_a_fault_of_ours(value: object) -> None:
    with pytest.raises(TypeError):
        encode((value,))  # type: ignore[arg-type]


def test_readers_name_the_field() -> None:
    with pytest.raises(DecodeError, match="weight: an integer from 1 to 5"):
        integer(9, "weight", 1, 5)
    with pytest.raises(DecodeError, match="digest: 32 bytes"):
        octets(b"short", "digest", 32)
    with pytest.raises(DecodeError, match="pair: an array of 2"):
        fields((1,), 2, "pair")
    with pytest.raises(DecodeError, match="names: an array of at most 1"):
        items((1, 2), lambda value: value, "names", 1)
    with pytest.raises(DecodeError, match="reason: not UTF-8"):
        text(b"\xff", "reason")
    with pytest.raises(DecodeError, match="task: '0x12'"):
        identifier(b"0x12", "task")
