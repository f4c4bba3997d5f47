"""`scale`: (x − offset) · gain, channel by channel; standardisation is this block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from salus_edge.frontend.chunk import Chunk, Inlet, Stage, known, numbers
from salus_edge.task import Parameter


def build(where: str, parameters: Mapping[str, Parameter], inlet: Inlet) -> Stage[None]:
    """`offset` and `gain`: one number per channel each. Raises TaskError."""
    known(where, parameters, ("offset", "gain"))
    offset = numbers(where, parameters, "offset", inlet.channels)
    gain = numbers(where, parameters, "gain", inlet.channels)

    def step(state: None, chunk: Chunk) -> tuple[None, Chunk]:
        return state, replace(chunk, samples=(chunk.samples - offset) * gain)

    return Stage(None, step, inlet.channels)
