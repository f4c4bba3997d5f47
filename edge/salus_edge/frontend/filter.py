"""`filter`: a causal IIR filter in second-order sections, one state per channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from salus_edge.errors import TaskError
from salus_edge.frontend.chunk import Chunk, Inlet, Samples, Stage, known, table
from salus_edge.task import Parameter


def build(where: str, parameters: Mapping[str, Parameter], inlet: Inlet) -> Stage[Samples]:
    """`sos`: rows [b0, b1, b2, a0, a1, a2], direct form II transposed, from zero state.

    Raises TaskError: not six numbers a row, a0 = 0, or a pole on or outside the unit circle.
    """
    known(where, parameters, ("sos",))
    rows = table(where, parameters, "sos")
    for row in rows:
        if len(row) != 6 or np.float32(row[3]) == 0.0:
            raise TaskError(f"{where}: a row of sos is [b0, b1, b2, a0, a1, a2] with a0 not 0, not {row}")
    sections = np.array(rows, np.float32).astype(np.float64)  # as a manifest carries them
    sections /= sections[:, 3:4]
    for row, (_, _, _, _, a1, a2) in zip(rows, sections.tolist(), strict=True):
        if not (abs(a2) < 1.0 and abs(a1) < 1.0 + a2):  # the triangle where both poles lie inside the unit circle
            raise TaskError(f"{where}: section {row} is not stable")

    def step(state: Samples, chunk: Chunk) -> tuple[Samples, Chunk]:
        after, filtered = _run(sections, state, chunk.samples)
        return after, replace(chunk, samples=filtered)

    return Stage(np.zeros((len(rows), 2, inlet.channels)), step, inlet.channels)


def _run(sections: Samples, state: Samples, samples: Samples) -> tuple[Samples, Samples]:
    """One section after the other over all samples (n, channels), a sample at a time over all channels."""
    after, x = state.copy(), samples
    for index, (b0, b1, b2, _, a1, a2) in enumerate(sections.tolist()):
        z1, z2 = after[index]
        y = np.empty_like(x)
        ahead, middle, last = b0 * x, b1 * x, b2 * x
        for n in range(len(x)):
            out = ahead[n] + z1
            z1 = middle[n] - a1 * out + z2
            z2 = last[n] - a2 * out
            y[n] = out
        after[index] = z1, z2
        x = y
    return after, x
