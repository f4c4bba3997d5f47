from __future__ import annotations

import numpy as np

from salus_chain.aggregation.registry import RULES
from salus_chain.bench.aggregation import NORM_BOUND, extreme, measure, usual


def test_every_rule_is_measured_on_usual_and_extreme_values() -> None:
    timings = measure((3, 7), d=50, repeats=1)
    assert [(each.n, each.values, each.rule) for each in timings] == [
        (n, values, rule) for n in (3, 7) for values in ("usual", "extreme") for rule in RULES
    ]
    for each in timings:
        assert each.d == 50
        assert 0 < each.aggregate_ms < 10_000
        assert each.verify_ms > 0 and each.report_ms > 0 and each.peak_mb > 0


def test_usual_updates_are_about_as_long_as_the_bound_and_extreme_ones_fill_int32() -> None:
    norms = np.sqrt((usual(20, 400).astype(np.float64) ** 2).sum(axis=1))
    assert 0.7 < norms.min() / NORM_BOUND < norms.max() / NORM_BOUND < 1.3
    assert extreme(20, 400).max() > 1 << 30 and extreme(20, 400).min() < -(1 << 30)
