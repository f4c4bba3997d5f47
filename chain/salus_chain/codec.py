"""Canonical bytes: RFC 8949 deterministic CBOR of integers, byte strings and definite arrays alone.

Text travels as UTF-8 byte strings. What two parties hash or sign has exactly one spelling: a decoder re-
encodes and refuses what differs. Nouns write themselves as arrays (`value()`) and read themselves back
(`read()`) with the functions below, which raise DecodeError naming the field.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Final, TypeAlias, TypeVar

import cbor2

from salus_chain.errors import DecodeError

Value: TypeAlias = "int | bytes | tuple[Value, ...]"

INT_MIN: Final = -(1 << 63)
INT_MAX: Final = (1 << 64) - 1
MAX_BYTES: Final = 64 << 20  # the largest release or model that a validator takes in
MAX_ITEMS: Final = 1 << 18  # where nothing less is known: a report of all gateways of 100 hospitals
MAX_DEPTH: Final = 12
MAX_NAME_BYTES: Final = 64
IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9._:/@+~-]{0,63}")  # tasks, gateways, algorithms, rules

T = TypeVar("T")


class _Encoder(threading.local):
    """One for each thread, made once: making it takes longer than a small value."""

    def __init__(self) -> None:
        self.encode = cbor2.CBOREncoder(BytesIO(), canonical=True).encode_to_bytes


_ENCODER: Final = _Encoder()


def encode_trusted(value: Value) -> bytes:
    """As `encode`, of what was made from decoded values: without looking at each of them again."""
    return _ENCODER.encode(value)


def encode(value: Value) -> bytes:
    """The one spelling of `value`.

    Raises TypeError when it holds anything but int64/uint64, bytes, tuples.
    """
    _check(value, MAX_DEPTH)
    return encode_trusted(value)


def decode(data: bytes, max_bytes: int = MAX_BYTES, max_items: int = MAX_ITEMS) -> Value:
    """Read canonical bytes. `max_items` bounds memory and time where many small items could come in few bytes.

    Raises DecodeError: too long, too many items, too deep, malformed, another type or another spelling.
    """
    if len(data) > max_bytes:
        raise DecodeError(f"{len(data)} bytes where at most {max_bytes} are taken")
    if len(data) > max_items and has_more_items(data, max_items):
        raise DecodeError(f"more than {max_items} items")
    try:
        value = _freeze(cbor2.loads(data, max_depth=MAX_DEPTH + 1, allow_indefinite=False), MAX_DEPTH)
    except (
        cbor2.CBORDecodeError,
        ValueError,
        OverflowError,
        MemoryError,
        RecursionError,
        TypeError,
    ) as error:
        raise DecodeError(f"not canonical CBOR: {error}") from None
    if encode_trusted(value) != data:  # `_freeze` has made the checks
        raise DecodeError("not canonical CBOR: it has another spelling than the deterministic one")
    return value


def has_more_items(data: bytes, most: int) -> bool:
    """Whether CBOR has more than `most` items of any depth; looks at no more than so many of their heads."""
    at, size = 0, len(data)
    for _ in range(most):
        if at >= size:
            return False
        head = data[at]
        argument, at = head & 31, at + 1
        if 24 <= argument <= 27:
            end = at + (1 << argument - 24)
            argument, at = int.from_bytes(data[at:end], "big"), end
        if head >> 5 in (2, 3):  # byte and text strings bring their content along; all else is heads
            at += argument
    return at < size


def _check(value: Value, depth: int) -> None:
    if type(value) is bytes:
        return
    if isinstance(value, tuple) and depth:
        for item in value:
            _check(item, depth - 1)
    elif type(value) is not int or not INT_MIN <= value <= INT_MAX:
        raise TypeError(f"{value!r:.80} cannot be written: an int64/uint64, bytes or a tuple not too deep is wanted")


def _freeze(value: object, depth: int) -> Value:
    if type(value) is bytes or (type(value) is int and INT_MIN <= value <= INT_MAX):
        return value
    if type(value) is list and depth:  # a list first and bytes without a call: half the time of a generator
        return tuple([item if type(item) is bytes else _freeze(item, depth - 1) for item in value])
    raise DecodeError(f"{type(value).__name__} is not in the canonical format, is too large or nested too deeply")


def fields(value: Value, count: int, what: str) -> tuple[Value, ...]:
    """The items of an array of exactly `count`."""
    if not isinstance(value, tuple) or len(value) != count:
        raise DecodeError(f"{what}: an array of {count} is wanted")
    return value


def items(value: Value, read: Callable[[Value], T], what: str, most: int = 100_000) -> tuple[T, ...]:
    """Every item of an array of any length up to `most`, each through `read`."""
    if not isinstance(value, tuple) or len(value) > most:
        raise DecodeError(f"{what}: an array of at most {most} is wanted")
    return tuple([read(item) for item in value])


def integer(value: Value, what: str, low: int = 0, high: int = (1 << 63) - 1) -> int:
    """An integer of [low, high]."""
    if not isinstance(value, int) or not low <= value <= high:
        raise DecodeError(f"{what}: an integer from {low} to {high} is wanted")
    return value


def octets(value: Value, what: str, length: int | None = None) -> bytes:
    """A byte string, of `length` bytes where that is given."""
    if not isinstance(value, bytes) or (length is not None and len(value) != length):
        raise DecodeError(f"{what}: {'a byte string' if length is None else f'{length} bytes'} wanted")
    return value


def text(value: Value, what: str, most: int = 100_000) -> str:
    """UTF-8 of at most `most` bytes."""
    raw = octets(value, what)
    try:
        if len(raw) > most:
            raise DecodeError(f"{what}: {len(raw)} bytes where at most {most} are taken")
        return raw.decode()
    except UnicodeDecodeError:
        raise DecodeError(f"{what}: not UTF-8") from None


def identifier(value: Value, what: str) -> str:
    """A name: a letter, then up to 63 letters, digits or `._:/@+~-`."""
    name = _identifier(value) if type(value) is bytes else None
    if name is None:
        shown = text(value, what, MAX_NAME_BYTES)  # says what is wrong with it before that
        raise DecodeError(f"{what}: {shown!r} is not a letter followed by at most 63 letters, digits or ._:/@+~-")
    return name


@lru_cache(maxsize=4_096)  # the same few tasks and gateways are named again and again
def _identifier(raw: bytes) -> str | None:
    if len(raw) > MAX_NAME_BYTES or not raw.isascii():
        return None
    name = raw.decode()
    return name if IDENTIFIER.fullmatch(name) else None
