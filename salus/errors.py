"""What can go wrong in the command itself.

SalusError
├── MissingToolError  something that must be installed is not; the message says how to get it
├── DemoError         a process of the demo ended or a step took too long; the message names process and log
└── (the packages' own errors pass through and are shown by `salus.cli.main`)
"""

from __future__ import annotations


class SalusError(Exception):
    """Base of this package's errors."""


class MissingToolError(SalusError):
    """A program or package that this step needs is not installed."""


class DemoError(SalusError):
    """A process of the demo ended unexpectedly, or a step did not finish in its time."""
