"""Topics of the device link: `salus/1/<federation>/<device>/<kind>`."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from salus_edge.errors import Refused

UPWARD: Final = ("state", "feature", "window", "event", "label")
DOWNWARD: Final = ("release", "command", "ack")
KINDS: Final = (*UPWARD, *DOWNWARD)
_ID: Final = re.compile(r"[a-z0-9-]{1,40}")


class Address(NamedTuple):
    """What a topic names."""

    federation: str
    device: str
    kind: str


def topic(federation: str, device: str, kind: str) -> str:
    """The topic of one kind of message. Raises Refused `malformed`: a bad id, no such kind."""
    for what, value in (("federation", federation), ("device", device)):
        if not _ID.fullmatch(value):
            raise Refused("malformed", f"{what} {value!r} is not 1 to 40 of a-z, 0-9 and -")
    if kind not in KINDS:
        raise Refused("malformed", f"topic kind {kind!r} is none of {', '.join(KINDS)}")
    return f"salus/1/{federation}/{device}/{kind}"


def parse(text: str) -> Address:
    """Read a topic back. Raises Refused `malformed`."""
    parts = text.split("/")
    if len(parts) != 5 or parts[:2] != ["salus", "1"]:
        raise Refused("malformed", f"topic {text!r} is not salus/1/<federation>/<device>/<kind>")
    topic(*parts[2:])
    return Address(*parts[2:])
