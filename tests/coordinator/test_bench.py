"""The gateway benchmark: what it reports; how fast is measured, not tested."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus_coordinator import bench
from salus_coordinator.errors import CoordinatorError
from tests.coordinator.tasks import small_task

KEYS = {"head_ratio", "whole_ratio", "rss_mb", "compared_with", "litert_head_steps_s", "keras_whole_fit_s"}


@pytest.mark.slow
def test_both_children_report_and_the_gateways_stays_small() -> None:
    figures = bench.gateway(small_task(), 0.2)
    assert set(figures) >= KEYS
    assert float(figures["rss_mb"]) < 100
    assert bench.table(figures).row_count == 3


def test_a_child_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(CoordinatorError, match=r"(?s)litert process failed: .*inputs\.npz"):
        bench._child("litert", tmp_path, 0.1)
