"""`wrist`: on the other arm than the model was trained for, some channels change sign."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from salus_edge.errors import TaskError
from salus_edge.frontend.chunk import Chunk, Inlet, Stage, Wrist, known, numbers
from salus_edge.task import Parameter


def build(where: str, parameters: Mapping[str, Parameter], inlet: Inlet) -> Stage[None]:
    """`worn`: "left" or "right", the arm of the training data; `mirror`: 1 or -1 per channel, for the other arm.

    Raises TaskError.
    """
    known(where, parameters, ("mirror", "worn"))
    mirror = numbers(where, parameters, "mirror", inlet.channels)
    worn = parameters["worn"]
    if worn not in ("left", "right"):
        raise TaskError(f"{where}: worn is left or right, not {worn!r}")
    if not (np.abs(mirror) == 1.0).all():
        raise TaskError(f"{where}: mirror is 1 or -1 per channel, not {mirror.tolist()}")
    other = inlet.wrist not in (Wrist.AS_TRAINED, Wrist(worn))

    def step(state: None, chunk: Chunk) -> tuple[None, Chunk]:
        return state, replace(chunk, samples=chunk.samples * mirror) if other else chunk

    return Stage(None, step, inlet.channels)
