"""The coordinator's configuration: who it is, where everything is, and the campaign's rounds and arms."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from msgspec import field

from salus_chain.aggregation.registry import PREFIX, check_parameters
from salus_chain.config import Config, beside, load
from salus_chain.errors import Rejected
from salus_chain.fixed import SCALE
from salus_chain.layout import Group
from salus_coordinator.errors import ConfigError
from salus_edge.training.schedules import Parameters, schedule

Kind = Literal["calibration", "feature"]
Algorithm = Literal["fedavg", "fedprox", "fedper", "fedrep"]
LEAST_AVERAGED: Final = 1  # the federation's policy may ask for more


class RoundPlan(Config, frozen=True):
    """One round, `repeat` times. Rates are per SGD step; the chain holds them in parts per million.

    `open_s` is how long gateways may commit, `settle_s` how long validators may take to recompute after that.
    Whenever such a round expires the next is given twice as long, within the federation's policy.
    """

    kind: Kind
    algorithm: Algorithm
    shared_epochs: int = 2
    personal_epochs: int = 2
    lr_shared: float = 0.01
    lr_personal: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 0.0
    mu: float = 0.0
    rule: str = "clipped_mean"
    rule_parameters: dict[str, int] = field(default_factory=dict)  # such as { byzantine = 1 } of multi_krum
    clip: float = 2.0
    min_updates: int = 3
    w_max: int = 100
    open_s: float = 5.0
    settle_s: float = 30.0
    repeat: int = 1

    def __post_init__(self) -> None:
        if self.repeat < 1 or self.open_s <= 0 or self.settle_s <= 0 or self.clip <= 0:
            raise ConfigError("rounds: repeat >= 1, and open_s, settle_s and clip above 0")
        if min(self.shared_epochs, self.personal_epochs) < 0:
            raise ConfigError("rounds: epochs are 0 or more")
        try:
            check_parameters(self.rule, self.norm_bound, self.parameters(), self.min_updates, LEAST_AVERAGED)
        except Rejected as error:
            raise ConfigError(f"rounds: {error.reason}") from None

    @property
    def groups(self) -> tuple[Group, ...]:
        """What gateways share, by their own schedule; in a feature round the base is frozen."""
        return schedule(self.algorithm).shared_in(self.kind)

    @property
    def norm_bound(self) -> int:
        """The clip norm at 2^-24."""
        return round(self.clip * SCALE)

    def parameters(self) -> tuple[tuple[str, int], ...]:
        """As on chain: sorted by name, epochs as they are, the rest in parts per million, the rule's as `rule_…`."""
        training = Parameters(
            self.shared_epochs,
            self.personal_epochs,
            self.lr_shared,
            self.lr_personal,
            self.momentum,
            self.weight_decay,
            self.mu,
            self.clip,
        ).to_chain()
        rule = ((PREFIX + name, number) for name, number in self.rule_parameters.items())
        return tuple(sorted((*training, *rule)))


class Arm(Config, frozen=True):
    """A study arm: a task id of its own that starts from the main task's model after its calibration."""

    task: str
    rounds: list[RoundPlan]

    def __post_init__(self) -> None:
        if any(plan.kind != "feature" for plan in self.rounds):
            raise ConfigError(f"arm {self.task}: arms share the parent's base, so their rounds are feature rounds")


class CoordinatorConfig(Config, frozen=True):
    """`coordinator.toml`. Paths are beside the file. An expired round is opened again `retries` times."""

    genesis: str
    key: str
    release_key: str
    model: str
    builder: str
    rounds: list[RoundPlan]
    arms: tuple[Arm, ...] = ()
    validators: tuple[str, ...] = ()
    progress: str = "progress.jsonl"
    retries: int = 3
    settle_in_s: float = 0.0
    timeout_s: float = 120.0

    def __post_init__(self) -> None:
        names = [arm.task for arm in self.arms]
        if not self.rounds or len(set(names)) != len(names):
            raise ConfigError("a campaign needs one round or more, and arms with names of their own")


def read_config(path: Path) -> CoordinatorConfig:
    """Raises ConfigError naming the file and what is wrong in it."""
    return load(path, CoordinatorConfig)


def expand(plans: list[RoundPlan]) -> tuple[RoundPlan, ...]:
    """Every round by itself, in order."""
    return tuple(plan for plan in plans for _ in range(plan.repeat))


__all__ = ["Arm", "CoordinatorConfig", "RoundPlan", "beside", "expand", "read_config"]
