"""Which data sets there are, where they are found, and how they are imported."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from salus_coordinator.data import hapt, ieee_spc2015, mitdb, sisfall, watch, weda_fall
from salus_coordinator.data.form import DataSet, check
from salus_coordinator.data.npz import restore, save
from salus_coordinator.errors import DataError


@dataclass(frozen=True, slots=True)
class Source:
    """One data set: how to read it below a root, which file shows that it is there, how to import the
    originals.
    """

    title: str
    licence: str
    channels: tuple[str, ...]
    read: Callable[[Path], DataSet]
    file: Callable[[Path], Path | None]
    get: str
    import_files: Callable[[Path], DataSet] | None = None


def _below(name: str) -> Callable[[Path], Path | None]:
    return lambda root: root / name if (root / name).is_file() else None


SOURCES: Final[dict[str, Source]] = {
    "watch": Source(
        watch.TITLE,
        watch.LICENCE,
        watch.CHANNELS,
        watch.read,
        lambda _: watch.find(),
        "pip install 'salus[demo]'",
    ),
    "weda_fall": Source(
        weda_fall.TITLE,
        weda_fall.LICENCE,
        weda_fall.CHANNELS,
        weda_fall.read,
        _below(weda_fall.FILE),
        "github.com/joaojtmarques/WEDA-FALL, then `salus data import weda_fall WEDA-FALL/dataset`",
        weda_fall.import_files,
    ),
    "hapt": Source(
        hapt.TITLE,
        hapt.LICENCE,
        hapt.CHANNELS,
        hapt.read,
        _below(hapt.FILE),
        "UCI; no importer of the originals yet",
    ),
    "sisfall": Source(
        sisfall.TITLE,
        sisfall.LICENCE,
        sisfall.CHANNELS,
        sisfall.read,
        _below(sisfall.FILE),
        "the authors' site; no importer of the originals yet",
    ),
    "mitdb": Source(
        mitdb.TITLE,
        mitdb.LICENCE,
        mitdb.CHANNELS,
        mitdb.read,
        _below(mitdb.SIGNAL),
        "physionet.org/content/mitdb; no importer of the originals yet",
    ),
    "ieee_spc2015": Source(
        ieee_spc2015.TITLE,
        ieee_spc2015.LICENCE,
        ieee_spc2015.CHANNELS,
        ieee_spc2015.read,
        _below(ieee_spc2015.FILE),
        "the cup's page; no importer of the originals yet",
    ),
}


def locate() -> Path:
    """`SALUS_DATA`, else the first `../shared/data` seen from the working folder or the repository."""
    if named := os.environ.get("SALUS_DATA"):
        return Path(named)
    candidates = [
        Path.cwd() / "../shared/data",
        *(parent / "../shared/data" for parent in Path(__file__).parents),
    ]
    return next((path.resolve() for path in candidates if path.is_dir()), candidates[0].resolve())


def imported(root: Path, name: str) -> Path:
    """Where the common form of an imported set, or of one's own, lies."""
    return root / name / f"{name}.npz"


def file_of(name: str, root: Path | None = None) -> Path | None:
    """The file that holds the set, or None when it is absent."""
    root = root or locate()
    if imported(root, name).is_file():
        return imported(root, name)
    return SOURCES[name].file(root) if name in SOURCES else None


def load(name: str, root: Path | None = None) -> DataSet:
    """A checked data set; one in the common form (`<root>/<name>/<name>.npz`) comes first.

    Raises DataError: `unknown_data`, `absent`, or what `check` finds.
    """
    root = root or locate()
    path = imported(root, name)
    if path.is_file() and (name not in SOURCES or SOURCES[name].import_files):
        return check(restore(path, name), SOURCES[name].channels if name in SOURCES else ())
    if name not in SOURCES:
        known = ", ".join(SOURCES)
        raise DataError("unknown_data", f"no data set {name!r} and no {path}; known are {known}")
    if SOURCES[name].file(root) is None:
        raise DataError("absent", f"{name} is not below {root}: {SOURCES[name].get}, or set SALUS_DATA")
    return check(SOURCES[name].read(root), SOURCES[name].channels)


def import_data(name: str, source: Path, root: Path | None = None) -> Path:
    """Read a set's original files and write the common form; nothing is written when anything is wrong.

    Raises DataError: `unknown_data`, `not_importable`, or what the reader and `check` find.
    """
    if name not in SOURCES:
        raise DataError("unknown_data", f"no data set {name!r}; known are {', '.join(SOURCES)}")
    reader = SOURCES[name].import_files
    if reader is None:
        able = ", ".join(known for known, each in SOURCES.items() if each.import_files)
        raise DataError("not_importable", f"{name} has no importer yet ({SOURCES[name].get}); those that have: {able}")
    path = imported(root or locate(), name)
    save(check(reader(source), SOURCES[name].channels), path)
    return path
