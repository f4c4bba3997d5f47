"""What can go wrong at the coordinator, by whose fault it is.

CoordinatorError
├── ConfigError      ours: a file of this machine's operator is wrong (the chain package's, re-exported)
├── DataError        theirs: a data set or file is absent or unusable (`code` says which); nothing was written
├── ModelError       ours: a model cannot be built, quantised or run on the device (`code` says why)
├── MissingTool      ours: a program or wheel this step needs is not installed
└── CampaignError    theirs: a round or release did not come about within its retries
"""

from __future__ import annotations

from salus_chain.errors import ConfigError


class CoordinatorError(Exception):
    """Base of this package's errors."""


class _CodedError(CoordinatorError):
    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


class DataError(_CodedError):
    """A data set is refused.

    `code` is stable and short (`not_finite`); `reason` says what, where, what to do.
    """


class ModelError(_CodedError):
    """A model breaks a rule: `bad_layer`, `unsupported_operator`, `over_budget`, `quantisation_loss`, …"""


class MissingTool(CoordinatorError):
    """A wheel or program that this step needs is not there; the message names the platform."""


class CampaignError(_CodedError):
    """A campaign stops: `round_expired`, `release_refused`, `model_refused`, …"""


__all__ = ["CampaignError", "ConfigError", "CoordinatorError", "DataError", "MissingTool", "ModelError"]
