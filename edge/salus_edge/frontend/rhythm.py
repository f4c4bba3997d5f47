"""What the intervals around a beat say, as int16: logarithms of ratios, so that no heart rate is the norm."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_edge.frontend.detector import Beat
from salus_edge.frontend.exact import logarithm

VALUES: Final = 17
MEMORY: Final = 256  # intervals
_SHORT: Final = 40
_UNIT: Final = 4096.0
_USUAL_S: Final = 0.8


def features(beats: tuple[Beat, ...], place: int, following: int, longest: int, rate_hz: float) -> NDArray[np.int16]:
    """(17,) of the beat at `place`, the next `following` of which are known; an unknown one counts as the median.

    To the median of the last 40: its interval, the 4 before (the earliest known where there are fewer), the 2 after,
    the mean of 8. Next to own, own to previous, spread of 16, median to 0.8 s. To the 60th percentile of 256: own,
    previous, the 2 after, the mean of 8. 4096 is a ratio of e; the spread (mean change) is linear, 4096 the median.
    """
    peaks = np.array([beat.peak for beat in beats[max(0, place - MEMORY) : place + 1]], np.int64)
    past = np.minimum(np.diff(peaks), longest)  # a pause is no rhythm
    own, median = int(past[-1]), _ranked(past[-_SHORT:], 5)
    before = [int(past[max(0, len(past) - 1 - k)]) for k in range(1, 5)]
    after = [
        min(beats[place + k].peak - beats[place + k - 1].peak, longest) if k <= following else median for k in (1, 2)
    ]
    eight = past[-8:]
    mean, high = int(eight.sum()) / len(eight), _ranked(past, 6)
    ratios = [each / median for each in (own, *before, *after, mean)]
    ratios += [after[0] / own, own / before[0], 1.0, median / rate_hz / _USUAL_S]
    ratios += [each / high for each in (own, before[0], *after, mean)]
    steps = np.rint(logarithm(np.array(ratios)) * _UNIT)
    changes = np.abs(np.diff(past[-17:]))
    if len(changes):
        steps[10] = np.rint(int(changes.sum()) / len(changes) / median * _UNIT)
    return np.asarray(np.clip(steps, -32767, 32767), np.int16)


def _ranked(values: NDArray[np.int64], tenths: int) -> int:
    """The value below which about so many tenths lie."""
    return int(np.sort(values)[tenths * (len(values) - 1) // 10])
