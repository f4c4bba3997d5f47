"""A recording as the console's frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_edge.proto import console_pb2 as pb

VALUES_PER_FRAME: Final = 768  # 3 KB of float32


def piece_frames(
    samples: NDArray[np.float32], start_ms: int, first: int = 0, ends: bool = True
) -> Iterator[pb.InjectSamples]:
    """The frames of a piece (n, channels) from its sample `first` on."""
    most = max(1, VALUES_PER_FRAME // samples.shape[1])
    for start in range(first, len(samples), most):
        part = samples[start : start + most]
        yield pb.InjectSamples(
            start_ms=start_ms,
            channels=samples.shape[1],
            values=part.ravel().tolist(),
            first_sample=start,
            ends_piece=ends and start + len(part) == len(samples),
        )
