"""MIT-BIH Arrhythmia: 48 half-hour ECG records of 47 people, 360 Hz, one lead (mV), every beat annotated.

Moody and Mark, "The impact of the MIT-BIH Arrhythmia Database", IEEE EMB 20(3), 2001; PhysioNet
10.13026/C2F305. Labels are the AAMI classes N, S, V, F, Q at the annotated sample, one sample long: the front
end's beat block makes the window.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from salus_coordinator.data.form import DataSet, Recording, Span
from salus_coordinator.data.npz import arrays

TITLE: Final = "MIT-BIH Arrhythmia: 48 ECG records of 47 people, beats annotated"
LICENCE: Final = "ODC-BY 1.0"
CHANNELS: Final = ("ecg",)
SIGNAL: Final = "mitdb/mitdb_lead0_360hz_delta.npz"
BEATS: Final = "mitdb/mitdb_annotations.npz"
RECORDS: Final = "mitdb/records.tsv"
SAME_PERSON: Final = {"202": "201"}  # two records, one person (PhysioNet)
AAMI: Final = {
    **dict.fromkeys("NLRej", "N"),
    **dict.fromkeys("AaJS", "S"),
    **dict.fromkeys("VE", "V"),
    "F": "F",
    **dict.fromkeys(("/", "f", "Q"), "Q"),
}


def read(root: Path) -> DataSet:
    """One recording per record."""
    arrays(root / SIGNAL, ())
    table = (root / RECORDS).read_text(encoding="utf-8").splitlines()[1:]
    names = [line.split("\t")[0] for line in table if line]
    signals = arrays(root / SIGNAL, tuple(names))
    beats = arrays(root / BEATS, tuple(f"{name}_{kind}" for name in names for kind in ("sample", "symbol")))
    recordings = []
    for name in names:
        counts = np.cumsum(signals[name], dtype=np.int16)
        millivolts = ((counts.astype(np.float32) - 1024.0) / 200.0)[:, None]
        spans = tuple(
            Span(int(at), int(at) + 1, AAMI[str(symbol)])
            for at, symbol in zip(beats[f"{name}_sample"], beats[f"{name}_symbol"], strict=True)
            if str(symbol) in AAMI
        )
        recordings.append(Recording(SAME_PERSON.get(name, name), name, CHANNELS, 360.0, millivolts, spans))
    return DataSet("mitdb", TITLE, LICENCE, tuple(recordings))
