"""What flows through the front end, and how parameters are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from salus_edge.errors import TaskError
from salus_edge.task import Parameter

Samples = NDArray[np.float64]
S = TypeVar("S")


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive samples, float64 (n, channels), at `rate_hz`; the first was taken at `t0_ms` UTC.

    `events` are times in ms at which a block saw something (a beat); `aux` int16 (A,) goes with a window.
    """

    samples: Samples
    t0_ms: float
    rate_hz: float
    events: tuple[float, ...] = ()
    aux: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))

    @property
    def end_ms(self) -> float:
        """When the sample after the last one is due."""
        return self.t0_ms + len(self.samples) * 1000.0 / self.rate_hz


@dataclass(frozen=True, slots=True)
class Stage(Generic[S]):
    """A block made ready: its state before the first sample, and its pure, causal step."""

    start: S
    step: Callable[[S, Chunk], tuple[S, Chunk]]
    channels: int  # that come out


def numbers(where: str, parameters: Mapping[str, Parameter], name: str, length: int | None = None) -> Samples:
    """A list of `length` finite numbers, as float32 of a manifest holds them. Raises TaskError naming the parameter."""
    value = parameters.get(name)
    if not isinstance(value, list) or any(not isinstance(each, float | int) for each in value):
        raise TaskError(f"{where}: {name} is a list of numbers, not {value!r}")
    array = np.array(value, np.float32).astype(np.float64)
    if not np.isfinite(array).all() or (length is not None and len(array) != length):
        raise TaskError(f"{where}: {name} is {length} finite numbers, one per channel, not {value!r}")
    return array


def table(where: str, parameters: Mapping[str, Parameter], name: str) -> list[list[float]]:
    """A list of lists of finite numbers, none empty. Raises TaskError naming block and parameter."""
    value = parameters.get(name)
    if not isinstance(value, list) or not value:
        raise TaskError(f"{where}: {name} is a list of lists of numbers, not {value!r}")
    rows = [row for row in value if isinstance(row, list) and row]
    if len(rows) != len(value) or not all(np.isfinite(row).all() for row in rows):
        raise TaskError(f"{where}: {name} is a list of lists of finite numbers, not {value!r}")
    return rows


def known(where: str, parameters: Mapping[str, Parameter], names: tuple[str, ...]) -> None:
    """Raises TaskError for a parameter that the block does not have, or lacks."""
    if odd := sorted(set(parameters) ^ set(names)):
        raise TaskError(f"{where}: unknown or missing {', '.join(odd)}; it takes {', '.join(names)}")
