"""Reading what a request carries. Raises DecodeError naming the parameter."""

from __future__ import annotations

from math import isfinite

from salus_chain.errors import DecodeError
from salus_chain.node.web import Answer, Problem, Request
from salus_chain.views import to_json


def text(request: Request, name: str) -> str:
    value = request.query.get(name, "")
    if not value:
        raise DecodeError(f"{name}: wanted in the query")
    return value


def whole(value: str | None, name: str, default: int | None = None, low: int = 0, high: int = (1 << 63) - 1) -> int:
    """An integer of [low, high]; no value at all stands for `default`."""
    if value is None and default is not None:
        return default
    digits = (value or "").removeprefix("-")
    if not digits.isdecimal() or len(digits) > 19 or not low <= int(value or "") <= high:
        raise DecodeError(f"{name}: an integer from {low} to {high} is wanted, not {value!r}")
    return int(value or "")


def seconds(request: Request, name: str, most: float, default: float | None = None) -> float:
    """A number of [0, most]."""
    value = request.query.get(name)
    if value is None and default is not None:
        return default
    try:
        number = float(value or "")
    except ValueError:
        number = -1.0
    if not isfinite(number) or not 0 <= number <= most:
        raise DecodeError(f"{name}: seconds from 0 to {most:g} are wanted, not {value!r}")
    return number


def octets(digits: str, name: str, length: int | None = None) -> bytes:
    """Bytes in hexadecimal, with or without `0x`."""
    try:
        data = bytes.fromhex(digits.removeprefix("0x"))
    except ValueError:
        data = b""
    if len(data) * 2 != len(digits.removeprefix("0x")) or length not in (None, len(data)):
        raise DecodeError(f"{name}: {length or 'some'} bytes in hexadecimal are wanted")
    return data


def view(given: object) -> Answer:
    return Answer(to_json(given))


def found(given: object | None, what: str) -> Answer:
    """The view, or 404 saying that there is no such thing."""
    if given is None:
        raise Problem(404, "not_found", f"{what} is not on this chain")
    return view(given)


def file(data: bytes | None, media_type: str, what: str) -> Answer:
    """The bytes, or 404 saying that they are not here."""
    if data is None:
        raise Problem(404, "not_found", f"{what} is not here")
    return Answer(data, media_type)
