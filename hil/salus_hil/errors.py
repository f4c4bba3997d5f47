"""What can go wrong in a rig, by whose fault it is.

HilError
├── ConfigError      ours: a rig's or wearable's configuration is wrong (the chain package's, re-exported)
├── MissingEngine    ours: this machine has no interpreter for the device model
├── FlashError       ours: what a wearable keeps on disk is damaged or of another device
└── RigError         the rig's: a program, emulator, power switch or port does not do what its entry says
"""

from __future__ import annotations

from salus_chain.errors import ConfigError


class HilError(Exception):
    """Base of this package's errors."""


class MissingEngine(HilError):
    """No TFLM on this platform; the message names the platform and what would do."""


class FlashError(HilError):
    """A wearable's state folder cannot be used; the message says what to do."""


class RigError(HilError):
    """A wearable of a rig cannot be started, stopped or reached; the message says which and what it said."""


__all__ = ["ConfigError", "FlashError", "HilError", "MissingEngine", "RigError"]
