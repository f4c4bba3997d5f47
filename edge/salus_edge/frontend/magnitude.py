"""`magnitude`: appends the Euclidean norm of each group of channels, which no turn of the sensor changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from salus_edge.errors import TaskError
from salus_edge.frontend.chunk import Chunk, Inlet, Stage, known, table
from salus_edge.task import Parameter


def build(where: str, parameters: Mapping[str, Parameter], inlet: Inlet) -> Stage[None]:
    """`groups`: lists of channel numbers from 0; one channel is appended per group. Raises TaskError."""
    known(where, parameters, ("groups",))
    channels = inlet.channels
    rows = table(where, parameters, "groups")
    if any(index != int(index) or not 0 <= index < channels for row in rows for index in row):
        raise TaskError(f"{where}: groups holds channel numbers from 0 to {channels - 1}, not {rows}")
    groups = [[int(index) for index in row] for row in rows]

    def step(state: None, chunk: Chunk) -> tuple[None, Chunk]:
        squares = np.square(chunk.samples)
        norms = [np.sqrt(sum(squares[:, index] for index in group)) for group in groups]
        return state, replace(chunk, samples=np.column_stack([chunk.samples, *norms]))

    return Stage(None, step, channels + len(groups))
