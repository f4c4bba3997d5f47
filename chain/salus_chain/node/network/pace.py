"""A token bucket: so much at once, so much a second; what comes too fast waits and is not lost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_s` for ever, `burst` at once after a rest."""

    per_s: float
    burst: float


class Bucket:
    """Tokens of one rate. Times are seconds of one monotonic clock."""

    def __init__(self, rate: Rate, now_s: float) -> None:
        self._rate = rate
        self._tokens = rate.burst
        self._at_s = now_s

    def take(self, amount: float, now_s: float) -> float:
        """Use up `amount`, on credit if need be; the seconds to wait until the debt is paid, 0 without one."""
        earned = (now_s - self._at_s) * self._rate.per_s
        self._tokens = min(self._rate.burst, self._tokens + earned) - amount
        self._at_s = now_s
        return max(0.0, -self._tokens / self._rate.per_s)
