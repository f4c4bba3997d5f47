"""seglearn's smart-watch recordings: 10 people, 7 shoulder exercises on 2 arms, acceleration (g) and
gyroscope (rad/s), 50 Hz.

Burns, Leung, Hardisty, Whyne, Henry, McLachlin, "Shoulder physiotherapy exercise recognition: machine
learning the inertial signals from a smartwatch", Physiol. Meas. 39, 2018. The file is a pickle: this is the
one pickle load of the code base. Its bytes must have the known hash, and the unpickler makes numpy arrays
only.
"""

from __future__ import annotations

import codecs
import io
import pickle
from collections.abc import Callable
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from salus_coordinator.data.form import DataSet, Recording, Span
from salus_coordinator.errors import DataError

TITLE: Final = "seglearn smart watch: 10 people, 7 shoulder exercises, wrist acc + gyro"
LICENCE: Final = "BSD-3-Clause"
SHA256: Final = "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537"
CHANNELS: Final = ("ax", "ay", "az", "wx", "wy", "wz")
RATE_HZ: Final = 50.0

# numpy before and after 2.0 names the same function differently.
ALLOWED: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],  # type: ignore[dict-item]
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}


def find() -> Path | None:
    """The file in the installed seglearn wheel, which is never imported."""
    spec = find_spec("seglearn")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "data" / "watch_dataset.npy"
        if path.is_file():
            return path
    return None


def read(_root: Path) -> DataSet:
    """Raises DataError `absent` or `wrong_sha256`."""
    path = find()
    if path is None:
        raise DataError("absent", "the watch data come with seglearn: `pip install 'salus[demo]'`")
    return parse(path.read_bytes(), str(path))


def parse(data: bytes, where: str) -> DataSet:
    """The file's bytes to the common form. Raises DataError `wrong_sha256`."""
    digest = sha256(data).hexdigest()
    if digest != SHA256:
        raise DataError("wrong_sha256", f"{where} has SHA-256 {digest}, not {SHA256}; reinstall seglearn==1.2.5")
    raw = _unpickle(data)
    names = [str(name) for name in raw["y_labels"]]
    recordings = []
    rows = zip(raw["X"], raw["y"], raw["subject"], raw["side"], strict=True)
    for samples, label, subject, side in sorted(rows, key=lambda row: (int(row[2]), int(row[3]), int(row[1]))):
        name = names[int(label)]
        recordings.append(
            Recording(
                subject=f"p{int(subject):02d}",
                session=f"{'right' if int(side) else 'left'}-{name}",
                channels=CHANNELS,
                rate_hz=RATE_HZ,
                samples=np.asarray(samples, np.float32),
                spans=(Span(0, len(samples), name),),
            )
        )
    return DataSet("watch", TITLE, LICENCE, tuple(recordings))


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) not in ALLOWED:
            raise DataError("unsafe_pickle", f"the watch data ask for {module}.{name}; only numpy arrays are allowed")
        return ALLOWED[module, name]


def _unpickle(data: bytes) -> dict[str, Any]:
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    read_header(file)
    contents = _ArraysOnly(file, encoding="ASCII").load()
    found: dict[str, Any] = contents.item()
    return found
