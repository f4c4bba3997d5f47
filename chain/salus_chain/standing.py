"""How a chain stands, from one validator's status: in words, and whether it can serve. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from salus_chain.genesis import faults
from salus_chain.views import SeatView, Status


def report(status: Status) -> str:
    """Such as `height 12, round 3: hospital-2 does not answer, 2 of 4 are there, 3 are needed`."""
    missing = [seat.name for seat in status.seats if not seat.there]
    there = len(status.seats) - len(missing)
    parts = [f"{_and(missing)} {'does' if len(missing) == 1 else 'do'} not answer"] if missing else []
    own = (status.height, status.round)
    parts += [
        f"{seat.name} is at height {seat.height + 1}, round {seat.round}"
        for seat in status.seats
        if seat.there and (seat.height, seat.round) < own
    ]
    parts.append(f"{there} of {len(status.seats)} are there")
    if there < status.quorum:
        parts.append(f"{status.quorum} are needed")
    return f"height {status.height + 1}, round {status.round}: " + ", ".join(parts)


def with_report(status: Status) -> Status:
    return replace(status, report=report(status))


def unready(status: Status) -> str:
    """Why this validator should not be asked now; empty when it may.

    It is behind when f+1 others, of whom one is honest, say that a higher block is final.
    """
    there = sum(seat.there for seat in status.seats)
    if there < status.quorum:
        return f"no quorum: {report(status)}"
    heights = sorted((seat.height for seat in status.seats if seat.there), reverse=True)
    known = heights[min(faults(len(heights)), len(heights) - 1)] if heights else 0
    if known > status.height:
        return f"behind: height {status.height} where others have {known}"
    return ""


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def lag(status: Status, others: Sequence[Status]) -> int:
    """How many blocks a validator is behind the highest of those that answer."""
    return max((each.height for each in others), default=status.height) - status.height


def there(seat: SeatView, now_ms: int, silent_ms: int) -> SeatView:
    """The same, there when it was heard from within `silent_ms`."""
    return replace(seat, there=now_ms - seat.heard_ms <= silent_ms)
