"""Prints, after all tests, the figures that some of them report."""

from __future__ import annotations

from pytest import TerminalReporter, TestReport


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    reports = [each for each in terminalreporter.getreports("passed") if isinstance(each, TestReport)]
    lines = [str(value) for each in reports for name, value in each.user_properties if name == "figures"]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(line)
