from __future__ import annotations

import pytest

from salus_chain.node.pool import rates as module
from salus_chain.node.pool.rates import Rates, TooFast


def test_a_burst_passes_and_then_so_many_a_second() -> None:
    rates = Rates(per_s=10, burst=3)
    for _ in range(3):
        rates.check(b"a", 1_000)
        rates.take(b"a", 1_000)
    with pytest.raises(TooFast) as fast:
        rates.check(b"a", 1_000)
    assert fast.value.retry_ms == 100 and fast.value.code == "too_fast"
    assert [rates.spare(who, 1_000) for who in (b"a", b"b")] == [0, 3]
    rates.check(b"b", 1_000)
    rates.check(b"a", 1_000 + fast.value.retry_ms)


def test_a_clock_that_jumps_back_gives_and_takes_nothing() -> None:
    rates = Rates(per_s=1, burst=1)
    rates.take(b"a", 5_000)
    with pytest.raises(TooFast):
        rates.check(b"a", 1_000)


def test_senders_that_rest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BUCKETS", 2)
    rates = Rates(per_s=1, burst=2)
    for number in range(3):
        rates.take(bytes([number]), number * 10_000)
    assert list(rates._buckets) == [bytes([2])]
