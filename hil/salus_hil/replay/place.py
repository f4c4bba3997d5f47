"""How far a replay has come: durable on the host, so that a restart goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from salus_hil.errors import FlashError
from salus_hil.virtual.report import write

FILE: Final = "replay.json"


@dataclass(frozen=True, slots=True)
class Place:
    """The phase and the piece in it that are next."""

    phase: int = 0
    piece: int = 0

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The beginning, where nothing was kept. Raises FlashError: damaged."""
        path = folder / FILE
        if not path.exists():
            return cls()
        try:
            kept = json.loads(path.read_text())
            return cls(int(kept["phase"]), int(kept["piece"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FlashError(f"{path}: damaged ({error!r}); replay in an empty folder") from None

    def keep(self, folder: Path) -> None:
        write(folder / FILE, {**asdict(self)})
