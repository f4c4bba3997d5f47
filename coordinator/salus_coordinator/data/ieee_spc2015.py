"""IEEE Signal Processing Cup 2015: 20 people exercising, wrist PPG and acceleration, 125 Hz, heart rate per 8
s window.

Zhang, Pi, Liu, "TROIKA", IEEE TBME 62(2), 2015. A label is the heart rate in bpm, written as a decimal
number; it covers the 2 s in which its 8 s window is the newest, so spans do not overlap.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from salus_coordinator.data.form import DataSet, Recording, Span
from salus_coordinator.data.npz import arrays

TITLE: Final = "IEEE SPC 2015: 20 people exercising, wrist PPG + acc, true heart rate"
LICENCE: Final = "the cup and own academic research only, with citation"
CHANNELS: Final = ("ppg1", "ppg2", "ax", "ay", "az")
FILE: Final = "ieee_spc2015/ieee_spc2015.npz"
RATE_HZ: Final = 125.0
WINDOW_S: Final = 8
HOP_S: Final = 2


def read(root: Path) -> DataSet:
    """One recording per file of the cup."""
    got = arrays(root / FILE, ("X", "offsets", "subject", "recording", "hr_bpm", "hr_offsets"))
    offsets, rates = got["offsets"].astype(np.int64), got["hr_offsets"].astype(np.int64)
    recordings = []
    for index in range(len(offsets) - 1):
        samples = got["X"][offsets[index] : offsets[index + 1]].astype(np.float32)
        heart = got["hr_bpm"][rates[index] : rates[index + 1]].astype(np.float64)
        spans = tuple(_span(number, float(bpm), len(samples)) for number, bpm in enumerate(heart))
        subject, session = str(got["subject"][index]), str(got["recording"][index])
        recordings.append(Recording(subject, session, CHANNELS, RATE_HZ, samples, spans))
    ordered = tuple(sorted(recordings, key=lambda recording: (recording.subject, recording.session)))
    return DataSet("ieee_spc2015", TITLE, LICENCE, ordered)


def _span(number: int, bpm: float, samples: int) -> Span:
    end = min(int((WINDOW_S + HOP_S * number) * RATE_HZ), samples)
    return Span(end - int(HOP_S * RATE_HZ), end, f"{bpm:.3f}")
