"""What can go wrong in a rig, by whose fault it is.

HilError
├── ConfigError      ours: a rig's or wearable's configuration is wrong (the chain package's, re-exported)
├── MissingEngine    ours: this machine has no interpreter for the device model
├── MissingTool      ours: a program that builds or runs something is not installed, or fails
├── FlashError       ours: what a wearable keeps on disk is damaged or of another device
├── PortError        ours: a serial port does not open, is another program's, or is gone
├── Silent           theirs: a device does not answer on its console
├── CommandFailed    theirs: a device refused a command (`code` says why)
└── RigError         the rig's: a program, emulator or power switch does not do what its entry says
"""

from __future__ import annotations

from salus_chain.errors import ConfigError


class HilError(Exception):
    """Base of this package's errors."""


class MissingEngine(HilError):
    """No TFLM on this platform; the message names the platform and what would do."""


class MissingTool(HilError):
    """Something cannot be built or run here; the message says what is missing, and what it said."""


class FlashError(HilError):
    """A wearable's state folder cannot be used; the message says what to do."""


class PortError(HilError):
    """A serial port cannot be used; the message names it."""


class Silent(HilError):
    """No answer within the time given; the message names the port and the request."""


class CommandFailed(HilError):
    """The device answered Failure; `code` is the device's, stable and short."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class RigError(HilError):
    """A wearable of a rig cannot be started, stopped or awaited; the message says which, and what it said."""


__all__ = [
    "CommandFailed",
    "ConfigError",
    "FlashError",
    "HilError",
    "MissingEngine",
    "MissingTool",
    "PortError",
    "RigError",
    "Silent",
]
