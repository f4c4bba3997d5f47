"""A task: what is measured, how a window is made, and the layers from window to prediction. One TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from salus_chain.config import Config, load
from salus_edge.errors import TaskError

Parameter = float | str | list[float | list[float]]


class Window(Config, frozen=True):
    """A window is made of `samples` consecutive ones.

    It starts every `hop` samples, or belongs to each `event` that a block sees (a beat), without `hop`. `aux` int16
    values travel beside its feature.
    """

    samples: int
    hop: int = 0
    trigger: Literal["hop", "event"] = "hop"
    aux: int = 0


class Block(Config, frozen=True):
    """One front end block: its name in `salus_edge.frontend` and its parameters."""

    block: str
    parameters: dict[str, Parameter] = msgspec.field(default_factory=dict)


class Layer(Config, frozen=True):
    """One row of the layer table. Which fields count depends on `layer`.

    `conv`: filters, taps, stride (taps a multiple of stride), VALID, then min(max(x, 0), 6).
    `average_pool`: bins, the number of equal time bins that are left (the last base layer).
    `dense`: units, then ReLU where `relu` is set.
    """

    layer: Literal["conv", "average_pool", "dense"]
    filters: int = 0
    taps: int = 0
    stride: int = 1
    bins: int = 1
    units: int = 0
    relu: bool = False


class Feature(Config, frozen=True):
    """The fixed quantisation of the base's int8 output: value = (q - zero_point) * scale."""

    scale: float
    zero_point: int


class Budget(Config, frozen=True):
    """What a release may cost on the wearable; exceeding it is an error."""

    flash_bytes: int
    arena_bytes: int
    macs: int


class Task(Config, frozen=True):
    """A learning task. The head (last dense layer, one logit per class) follows the trunk.

    `personalise` are the layers of which a patient has a copy of her own where the algorithm is a personal one.
    """

    name: str
    title: str
    channels: list[str]
    rate_hz: float
    classes: list[str]
    window: Window
    frontend: list[Block]
    base: list[Layer]
    trunk: list[Layer]
    feature: Feature
    budget: Budget
    label_coverage: float = 0.8
    batch: int = 32
    personalise: list[Literal["trunk", "head"]] = msgspec.field(default_factory=lambda: ["head"])

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise TaskError(f"task {self.name}: a classifier needs at least two classes, not {self.classes}")
        if not self.base or self.base[-1].layer != "average_pool":
            raise TaskError(f"task {self.name}: the base ends in an average_pool layer")
        if any(layer.layer != "dense" for layer in self.trunk):
            raise TaskError(f"task {self.name}: the trunk has only dense layers")
        if "head" not in self.personalise:
            raise TaskError(f"task {self.name}: personalise names the head, with or without the trunk")
        if self.window.trigger == "hop" and not 1 <= self.window.hop <= self.window.samples:
            raise TaskError(f"task {self.name}: window.hop is 1 to window.samples")
        if self.window.trigger == "event" and (self.window.hop or self.window.samples < 1):
            raise TaskError(f"task {self.name}: windows that events trigger have samples, and no hop")


def load_task(path: Path) -> Task:
    """Read a task's TOML. Raises ConfigError (unknown key, wrong type) or TaskError (it cannot be)."""
    return load(path, Task)
