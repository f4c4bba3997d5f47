"""Whole networks one at a time and first; and, after all tests, the figures that some of them report."""

from __future__ import annotations

import pytest
from pytest import TerminalReporter, TestReport


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start many processes share one worker: no two of them starve each other, and none comes last."""
    for item in items:
        if item.get_closest_marker("system"):
            item.add_marker(pytest.mark.xdist_group("processes"))
    items.sort(key=lambda item: item.get_closest_marker("system") is None)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    reports = [each for each in terminalreporter.getreports("passed") if isinstance(each, TestReport)]
    lines = [str(value) for each in reports for name, value in each.user_properties if name == "figures"]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
