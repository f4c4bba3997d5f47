"""How fast one sender may hand in transactions: a token bucket for each. Pure: the time is an argument."""

from __future__ import annotations

from typing import Final

from salus_chain.errors import Rejected

MAX_BUCKETS: Final = 4_096  # before the full ones, which say nothing, are forgotten


class TooFast(Rejected):
    """The sender has used up its rate. `retry_ms` says when one more is taken."""

    def __init__(self, reason: str, retry_ms: int) -> None:
        super().__init__("too_fast", reason)
        self.retry_ms = retry_ms


class Rates:
    """Buckets of `burst` tokens that fill at `per_s`; one transaction takes one token."""

    def __init__(self, per_s: int, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        self._buckets: dict[bytes, tuple[float, int]] = {}  # sender → tokens, and when they were counted, in ms

    def check(self, sender: bytes, now_ms: int) -> None:
        """Raises TooFast when the bucket is empty; takes nothing from it."""
        tokens = self._tokens(sender, now_ms)
        if tokens < 1:
            retry_ms = max(1, round((1 - tokens) * 1_000 / self._per_s))
            reason = f"{sender.hex()[:16]} exceeds {self._per_s} transactions a second; try again in {retry_ms} ms"
            raise TooFast(reason, retry_ms)

    def spare(self, sender: bytes, now_ms: int) -> int:
        """How many transactions more would be taken of this sender now."""
        return int(self._tokens(sender, now_ms))

    def take(self, sender: bytes, now_ms: int) -> None:
        """Count one transaction that was admitted."""
        self._buckets[sender] = (self._tokens(sender, now_ms) - 1, now_ms)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets = {
                each: bucket for each, bucket in self._buckets.items() if self._tokens(each, now_ms) < self._burst
            }

    def _tokens(self, sender: bytes, now_ms: int) -> float:
        tokens, counted_ms = self._buckets.get(sender, (float(self._burst), now_ms))
        return min(float(self._burst), tokens + max(0, now_ms - counted_ms) * self._per_s / 1_000)
