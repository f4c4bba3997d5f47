"""UCI HAPT: 30 people, 6 activities and 6 transitions, waist acceleration (g) and gyroscope (rad/s), 50 Hz,
two sessions each.

Reyes-Ortiz, Oneto, Samà, Parra, Anguita, "Transition-aware human activity recognition", Neurocomputing 171,
2016.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from salus_coordinator.data.form import DataSet, Recording, runs
from salus_coordinator.data.npz import arrays, scaled

TITLE: Final = "UCI HAPT: 30 people, activities and transitions, waist acc + gyro"
LICENCE: Final = "UCI, CC BY 4.0 as its site lists it; older README: no commercial use"
CHANNELS: Final = ("ax", "ay", "az", "wx", "wy", "wz")
FILE: Final = "hapt/hapt_50hz.npz"


def read(root: Path) -> DataSet:
    """One recording per experiment, in the subject's order; labels are runs of one activity."""
    got = arrays(root / FILE, ("X", "y", "offsets", "subject", "experiment", "label_names", "scale"))
    offsets, codes = got["offsets"].astype(np.int64), got["y"].astype(np.int64)
    samples = scaled(got["X"], got["scale"])
    names = {code + 1: str(name) for code, name in enumerate(got["label_names"])}
    recordings = []
    for index in range(len(offsets) - 1):
        cut = slice(int(offsets[index]), int(offsets[index + 1]))
        subject, session = int(got["subject"][index]), int(got["experiment"][index])
        spans = runs(codes[cut], names)
        recordings.append(Recording(f"s{subject:02d}", f"exp{session}", CHANNELS, 50.0, samples[cut], spans))
    return DataSet("hapt", TITLE, LICENCE, tuple(recordings))
