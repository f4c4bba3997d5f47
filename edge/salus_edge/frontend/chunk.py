"""What flows through the front end, what a block is, and how parameters are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from salus_edge.errors import TaskError
from salus_edge.task import Parameter

Samples = NDArray[np.float64]
S = TypeVar("S")
MIN_RATE_HZ: Final = 0.1  # of a stream: what is slower or faster no sensor gives, and windows would last for years
MAX_RATE_HZ: Final = 10_000.0


class Wrist(Enum):
    """On which arm the wearable is worn, set at enrolment."""

    AS_TRAINED = "as trained"
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Consecutive samples, float64 (n, channels), at `rate_hz`; the first was taken at `t0_ms` UTC.

    `index` is the first one's number at this rate since the stretch began; `events` are times in ms at which a block
    saw something (a stance).
    """

    samples: Samples
    t0_ms: float
    rate_hz: float
    events: tuple[float, ...] = ()
    index: int = 0

    @property
    def end_ms(self) -> float:
        """When the sample after the last one is due."""
        return self.t0_ms + len(self.samples) * 1000.0 / self.rate_hz


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Windows as cut: `index` int64 (n,) the numbers of their first samples, `values` float32 (n, rows, channels),
    `aux` int16 (n, A).
    """

    index: NDArray[np.int64]
    values: NDArray[np.float32]
    aux: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class Inlet:
    """What comes into a block: `channels` at `rate_hz`; whole windows of `rows`, or the stream where that is 0."""

    channels: int
    rate_hz: float = 50.0
    rows: int = 0
    wrist: Wrist = Wrist.AS_TRAINED


@dataclass(frozen=True, slots=True)
class Stage(Generic[S]):
    """A block on the stream, made ready: its state before the first sample, and its pure, causal step.

    `renew` gives the state after a time gap, `don` that after the wearable was put on anew; both start afresh without.
    """

    start: S
    step: Callable[[S, Chunk], tuple[S, Chunk]]
    channels: int  # that come out
    ratio: tuple[int, int] = (1, 1)  # rate that comes out over the one that goes in
    renew: Callable[[S], S] | None = None
    don: Callable[[S], S] | None = None


@dataclass(frozen=True, slots=True)
class Cutter(Generic[S]):
    """What makes windows of the stream, (rows, channels) with `aux` values each."""

    start: S
    step: Callable[[S, Chunk], tuple[S, Frames]]
    channels: int
    rows: int
    aux: int = 0
    renew: Callable[[S], S] | None = None


@dataclass(frozen=True, slots=True)
class Reshape:
    """A block on whole windows, each by itself: float32 (n, rows, channels) to another shape."""

    apply: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    rows: int
    channels: int


def is_rate(rate_hz: float) -> bool:
    """Whether a stream may have it."""
    return MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ


def on_windows(stage: Stage[None], rows: int) -> Reshape:
    """A block without state, which may as well work on windows: row by row."""

    def apply(windows: NDArray[np.float32]) -> NDArray[np.float32]:
        flat = windows.astype(np.float64).reshape(-1, windows.shape[2])
        _, out = stage.step(None, Chunk(flat, 0.0, 1.0))
        return out.samples.astype(np.float32).reshape(len(windows), rows, stage.channels)

    return Reshape(apply, rows, stage.channels)


def numbers(where: str, parameters: Mapping[str, Parameter], name: str, length: int | None = None) -> Samples:
    """A list of `length` finite numbers, as float32 of a manifest holds them. Raises TaskError naming the parameter."""
    value = parameters.get(name)
    if not isinstance(value, list) or any(not isinstance(each, float | int) for each in value):
        raise TaskError(f"{where}: {name} is a list of numbers, not {value!r}")
    array = np.array(value, np.float32).astype(np.float64)
    if not np.isfinite(array).all() or (length is not None and len(array) != length):
        raise TaskError(f"{where}: {name} is {length} finite numbers, one per channel, not {value!r}")
    return array


def number(
    where: str, parameters: Mapping[str, Parameter], name: str, low: float, high: float, whole: bool = False
) -> float:
    """One number from `low` to `high`, as float32 of a manifest holds it. Raises TaskError naming the parameter."""
    value: Any = parameters.get(name)
    kind = "a whole number" if whole else "a number"
    if isinstance(value, float | int) and low <= value <= high and (not whole or value == int(value)):
        return float(np.float32(value))
    raise TaskError(f"{where}: {name} is {kind} from {low:g} to {high:g}, not {value!r}")


def indices(where: str, parameters: Mapping[str, Parameter], name: str, channels: int) -> list[int]:
    """A list of different channel numbers from 0, not empty. Raises TaskError naming the parameter."""
    found = numbers(where, parameters, name).tolist()
    if (
        not found
        or len(set(found)) != len(found)
        or any(each != int(each) or not 0 <= each < channels for each in found)
    ):
        raise TaskError(f"{where}: {name} holds different channel numbers from 0 to {channels - 1}, not {found}")
    return [int(each) for each in found]


def table(where: str, parameters: Mapping[str, Parameter], name: str) -> list[list[float]]:
    """A list of lists of finite numbers, none empty. Raises TaskError naming block and parameter."""
    value = parameters.get(name)
    if not isinstance(value, list) or not value:
        raise TaskError(f"{where}: {name} is a list of lists of numbers, not {value!r}")
    rows = [row for row in value if isinstance(row, list) and row]
    if len(rows) != len(value) or not all(np.isfinite(row).all() for row in rows):
        raise TaskError(f"{where}: {name} is a list of lists of finite numbers, not {value!r}")
    return rows


def triads(where: str, parameters: Mapping[str, Parameter], name: str, channels: int) -> list[list[int]]:
    """Lists of three different channel numbers. Raises TaskError naming block and parameter."""
    rows = table(where, parameters, name)
    if any(
        len(row) != 3 or len(set(row)) != 3 or any(each != int(each) or not 0 <= each < channels for each in row)
        for row in rows
    ):
        raise TaskError(f"{where}: {name} holds triads of channel numbers from 0 to {channels - 1}, not {rows}")
    return [[int(each) for each in row] for row in rows]


def known(where: str, parameters: Mapping[str, Parameter], names: tuple[str, ...]) -> None:
    """Raises TaskError for a parameter that the block does not have, or lacks."""
    if odd := sorted(set(parameters) ^ set(names)):
        raise TaskError(f"{where}: unknown or missing {', '.join(odd)}; it takes {', '.join(names)}")
