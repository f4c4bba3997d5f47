"""SisFall: 38 people, 15 kinds of fall and 19 daily activities, waist acceleration (g) and gyroscope (deg/s),
50 Hz.

Sucerquia, López, Vargas-Bonilla, "SisFall: a fall and movement dataset", Sensors 17(1), 2017. A trial carries
its code as its one label, because the set does not say when in the trial the fall happens.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from salus_coordinator.data.form import DataSet, Recording, Span
from salus_coordinator.data.npz import arrays, scaled

TITLE: Final = "SisFall: 38 people, falls and daily activities, waist acc + gyro"
LICENCE: Final = "none stated: research use, never redistributed"
CHANNELS: Final = ("ax", "ay", "az", "wx", "wy", "wz")
FILE: Final = "sisfall/sisfall_50hz.npz"


def read(root: Path) -> DataSet:
    """One recording per trial."""
    got = arrays(root / FILE, ("X", "offsets", "subject", "activity", "trial", "scale"))
    offsets, samples = got["offsets"].astype(np.int64), scaled(got["X"], got["scale"])
    recordings = []
    for index in range(len(offsets) - 1):
        cut = samples[offsets[index] : offsets[index + 1]]
        activity = str(got["activity"][index])
        session = f"{activity}-{int(got['trial'][index]):02d}"
        spans = (Span(0, len(cut), activity),)
        recordings.append(Recording(str(got["subject"][index]), session, CHANNELS, 50.0, cut, spans))
    ordered = tuple(sorted(recordings, key=lambda recording: (recording.subject, recording.session)))
    return DataSet("sisfall", TITLE, LICENCE, ordered, "session")
