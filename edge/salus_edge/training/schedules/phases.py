"""What every schedule is made of: a round's parameters, the phases that they become, and which groups are
shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from salus_chain.layout import Group
from salus_edge.errors import Refused
from salus_edge.training.program import Rates

Kind = Literal["feature", "calibration"]
PPM: Final = 1_000_000
COUNTS: Final = ("shared_epochs", "personal_epochs")
RATIOS: Final = ("lr_shared", "lr_personal", "momentum", "weight_decay", "mu", "clip")
MAX_EPOCHS: Final = 1_000
RULE_PREFIX: Final = "rule_"  # of the parameters that are the aggregation rule's, which training leaves alone


@dataclass(frozen=True, slots=True)
class Parameters:
    """A round's parameters. On chain they are integers: counts as they are, the others in millionths
    (ppm).
    """

    shared_epochs: int = 1
    personal_epochs: int = 1
    lr_shared: float = 0.05
    lr_personal: float = 0.05
    momentum: float = 0.0
    weight_decay: float = 0.0
    mu: float = 0.0
    clip: float = 1.0

    def to_chain(self) -> tuple[tuple[str, int], ...]:
        """Sorted by name, as `OpenRound.parameters` wants them."""
        counts = [(name, int(getattr(self, name))) for name in COUNTS]
        return tuple(sorted([*counts, *((name, round(getattr(self, name) * PPM)) for name in RATIOS)]))


@dataclass(frozen=True, slots=True)
class Phase:
    """`epochs` passes over a patient's rows at these rates."""

    epochs: int
    lr_shared: float
    lr_personal: float
    momentum: float
    weight_decay: float
    mu: float

    @property
    def rates(self) -> Rates:
        return Rates(self.lr_shared, self.lr_personal, self.momentum, self.weight_decay, self.mu)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A federated algorithm: what it shares in a calibration round, and its phases.

    `personal` are the groups that each patient keeps for herself; they never leave the gateway.
    """

    name: str
    shared: tuple[Group, ...]
    personal: tuple[Group, ...]
    phases: Callable[[Parameters], tuple[Phase, ...]]

    def shared_in(self, kind: Kind) -> tuple[Group, ...]:
        """The groups of an update; the base drops out in a feature round."""
        return tuple(group for group in self.shared if kind == "calibration" or group != "base")


def phase(parameters: Parameters, epochs: int, *, shared: bool = True, personal: bool = True) -> Phase:
    """A phase at the round's rates, with those of the parts that stand still at 0."""
    return Phase(
        epochs,
        parameters.lr_shared if shared else 0.0,
        parameters.lr_personal if personal else 0.0,
        parameters.momentum,
        parameters.weight_decay,
        parameters.mu,
    )


def read_parameters(pairs: Iterable[tuple[str, int]]) -> Parameters:
    """A round's parameters from the chain; what is not named keeps its default, the rule's (`rule_…`) are skipped.

    Raises Refused `bad_parameters`: an unknown name, a negative number, or a count above 1,000.
    """
    values: dict[str, float] = {}
    for name, number in pairs:
        if name.startswith(RULE_PREFIX):
            continue
        if name not in COUNTS and name not in RATIOS:
            raise Refused("bad_parameters", f"round parameter {name!r} is not known; known are {COUNTS + RATIOS}")
        if number < 0 or (name in COUNTS and number > MAX_EPOCHS):
            raise Refused("bad_parameters", f"round parameter {name} = {number} is out of range")
        values[name] = number if name in COUNTS else number / PPM
    return Parameters(**values)  # type: ignore[arg-type]
