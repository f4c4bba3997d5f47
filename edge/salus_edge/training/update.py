"""From patients' trained weights to the one update file that leaves the gateway."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from salus_chain.errors import Rejected
from salus_chain.fixed import Int32s, to_fixed
from salus_chain.updates import UpdateHeader, encode_update
from salus_edge.errors import Refused

Floats = NDArray[np.float32]


def delta(before: Floats, after: Floats, indices: NDArray[np.int64]) -> Floats:
    """What one patient's training changed of the shared variables, float32 (d,).

    Raises Refused `wrong_shape`: the two are not of one layout.
    """
    if before.shape != after.shape or before.ndim != 1:
        raise Refused("wrong_shape", f"weights of shape {after.shape} where {before.shape} were loaded")
    return after[indices] - before[indices]


def clip(values: Floats, bound: float) -> NDArray[np.float64]:
    """`values` scaled down to L2 norm `bound` where it is longer (McMahan et al., ICLR 2018, eq. 1)."""
    exact = values.astype(np.float64)
    norm = float(np.linalg.norm(exact))
    return exact if norm <= bound else exact * (bound / norm)


def combine(deltas: Sequence[Floats], bound: float) -> Int32s:
    """The mean over patients of their clipped deltas (d,), as int32 at 2^-24.

    Raises Refused: `no_patients`, `wrong_shape`, `not_finite`, `too_large` (naming the patient's place or
    the value's).
    """
    if not deltas:
        raise Refused("no_patients", "an update needs at least one patient who took part")
    for index, each in enumerate(deltas):
        if each.shape != deltas[0].shape or each.ndim != 1:
            raise Refused("wrong_shape", f"patient {index}: a delta of shape {each.shape}, not {deltas[0].shape}")
        if not np.isfinite(each).all():
            raise Refused("not_finite", f"patient {index}: training diverged; lower the rates of the round")
    mean = np.mean([clip(each, bound) for each in deltas], axis=0)
    try:
        return to_fixed(mean)
    except Rejected as error:
        raise Refused(error.code, error.reason) from None


def update_file(header: UpdateHeader, values: Int32s) -> bytes:
    """The bytes of an update. Raises Refused `wrong_shape`: not the round's `d` values."""
    if values.shape != (header.d,):
        raise Refused("wrong_shape", f"an update of {values.shape} where round {header.round} shares {header.d}")
    return encode_update(header, values)
