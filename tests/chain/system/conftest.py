"""Figures that the tests of this folder report; tests/conftest.py prints them at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[object], None]:
    """Have something printed after all tests."""
    return lambda figures: record_property("figures", str(figures))
