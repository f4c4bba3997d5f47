"""What can go wrong here, by whose fault it is.

ChainError
├── ConfigError      ours: a file of this machine's operator is wrong
├── Stopped          ours: this machine cannot keep what a validator must not lose
│   ├── DiskFull     ours: freeing space helps
│   └── Damaged      ours: a file of the validator is not whole
├── DecodeError      theirs: bytes that are not what they claim to be
├── Rejected         theirs: well-formed, and against a rule (`code` says which)
├── ProofError       theirs: a proof that does not hold
├── AuditError       theirs: a chain that does not follow from its genesis
└── Unreachable      nobody's: no validator answered
"""

from __future__ import annotations


class ChainError(Exception):
    """Base of this package's errors."""


class ConfigError(ChainError):
    """A configuration, key or genesis file is wrong; the message names file and key."""


class Stopped(ChainError):
    """The validator must end, now: its disk is full or fails. The message names file, reason and what to do."""


class DiskFull(Stopped):
    """Nothing more can be written, and nothing was half written."""


class Damaged(Stopped):
    """A file has lost or changed what was durable. The message names it and the command that repairs it."""


class DecodeError(ChainError):
    """Bytes from elsewhere are malformed, not canonical, too long or of the wrong type."""


class Rejected(ChainError):
    """A rule refuses a transaction, an update or a message, which changes nothing.

    `code` is stable and short (`wrong_round`); `reason` says what, where and what to do.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class ProofError(ChainError):
    """A proof fails; the message names the first check that did."""


class AuditError(ChainError):
    """A chain does not follow from its genesis, or a settlement from its bytes; the message names the block."""


class Unreachable(ChainError):
    """No validator answered within the time allowed."""


def first_of(
    group: BaseExceptionGroup[BaseException], kinds: type[Exception] | tuple[type[Exception], ...] = Exception
) -> BaseException:
    """The first error inside a task group's; the group itself when one in it is of none of these kinds.

    In place of `except*`: before Python 3.11.4 that wraps what is raised in it in another group.
    """
    if group.split(kinds)[1] is not None:
        return group
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
