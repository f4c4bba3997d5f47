"""What can go wrong at the edge, by whose fault it is.

EdgeError
├── ConfigError      ours: a file of this gateway's operator is wrong (the chain package's, re-exported)
├── TaskError        ours: a task specification cannot be
├── Refused          theirs: a packet, label, release or update breaks a rule (`code` says which); nothing changed
└── ProgramError     ours: the training program does not fit the task
"""

from __future__ import annotations

from salus_chain.errors import ConfigError


class EdgeError(Exception):
    """Base of this package's errors."""


class TaskError(EdgeError):
    """A task specification is wrong; the message names file, key and what would do."""


class ProgramError(EdgeError):
    """A training program is missing a signature, or does not match the task's layout."""


class Refused(EdgeError):
    """Something from elsewhere is refused, which changes nothing.

    `code` is stable and short (`wrong_key`, `replayed`); `reason` says what, where and what to do.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


__all__ = ["ConfigError", "EdgeError", "ProgramError", "Refused", "TaskError"]
