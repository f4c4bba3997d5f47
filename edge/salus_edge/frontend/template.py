"""The patient's own slow beat: it moves to each beat by a clipped step, so that a run of odd beats hardly moves it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_SHARE: Final = np.float32(0.35)  # of the template's height is the unit of a window
_LEAST: Final = np.float32(1e-6)  # height of a template that is flat
_SLOWEST: Final = 256  # beats in which it may move by its own height
_COUNTED: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """`values` (rows,) after `count` beats, at most 64."""

    values: Floats
    count: int


def step(own: Template | None, beat: Floats) -> tuple[Template, Floats]:
    """The template after this beat (rows,), and the window (rows, 2): beat and difference from the template before.

    The step is the height over 4 times the number of beats, later over 256: a median's pace.
    """
    before = own or Template(beat, 0)
    height = np.maximum(before.values.max() - before.values.min(), _LEAST)
    difference = beat - before.values
    unit = _SHARE * height
    window = np.stack([beat / unit, difference / unit], axis=1)
    most = height / np.float32(min(_SLOWEST, 4 * max(before.count, 1)))
    moved = before.values + np.minimum(np.maximum(difference, -most), most)
    return Template(moved, min(before.count + 1, _COUNTED)), window
