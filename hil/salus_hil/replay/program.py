"""Where the firmware's host program is."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

import salus_hil
from salus_hil.errors import ConfigError

VARIABLE: Final = "SALUS_WEARABLE"
NAME: Final = "salus-wearable"
BUILT: Final = Path("firmware/.pio/build/native/program")


def find_program(named: Path | None = None) -> Path:
    """`named`, else $SALUS_WEARABLE, else on the PATH, else as built in this checkout.

    Raises ConfigError: there is none.
    """
    if named is not None or (variable := os.environ.get(VARIABLE)):
        path = named or Path(str(variable))
        if not path.is_file():
            raise ConfigError(f"{path}: no such program; build it with scripts/firmware build")
        return path.resolve()
    if found := shutil.which(NAME):
        return Path(found)
    built = Path(str(salus_hil.__file__)).parents[2] / BUILT
    if not built.is_file():
        raise ConfigError(f"no {NAME}: build it with scripts/firmware build, or name it in ${VARIABLE}")
    return built
