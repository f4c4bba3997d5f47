"""Fixed point: every shared number is an int32 at scale 2^-24, so that all processors agree on every bit."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_chain.errors import Rejected

Int32s = NDArray[np.int32]
Floats = NDArray[np.float32]

SCALE_BITS: Final = 24
SCALE: Final = 1 << SCALE_BITS
LIMIT: Final = 128.0  # |w| below this fits an int32 at 2^-24


def to_fixed(values: NDArray[np.floating]) -> Int32s:
    """Round half to even onto the 2^-24 grid, shape kept.

    Raises Rejected `not_finite` (NaN, infinity) or `too_large` (|value| at or above 128), naming the first
    index.
    """
    flat = np.asarray(values, dtype=np.float64)
    bad = ~np.isfinite(flat)
    if bad.any():
        raise Rejected(
            "not_finite",
            f"value {int(np.argmax(bad.ravel()))} is {flat.ravel()[np.argmax(bad)]}; train again",
        )
    scaled = np.rint(flat * SCALE)
    large = np.abs(scaled) >= LIMIT * SCALE
    if large.any():
        at = int(np.argmax(large.ravel()))
        raise Rejected("too_large", f"value {at} is {flat.ravel()[at]:g}; shared values stay below {LIMIT:g}")
    return scaled.astype(np.int32)


def to_float(values: Int32s) -> Floats:
    """The float32 nearest to each fixed-point value, shape kept."""
    return (values.astype(np.float64) / SCALE).astype(np.float32)
