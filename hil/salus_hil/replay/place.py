"""How far a replay has come, kept on the host: whatever is killed, it goes on where it was."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from salus_hil.errors import FlashError

FILE: Final = "replay.json"


@dataclass(frozen=True, slots=True)
class Place:
    """The next phase, the next piece in it and the next sample in that; the wearable's clock there."""

    phase: int = 0
    piece: int = 0
    sample: int = 0
    clock_ms: int = 0

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The beginning, where nothing was kept. Raises FlashError: damaged."""
        path = folder / FILE
        if not path.exists():
            return cls()
        try:
            return cls(**{name: int(value) for name, value in json.loads(path.read_text()).items()})
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise FlashError(f"{path}: damaged ({error!r}); replay in an empty folder") from None

    def keep(self, folder: Path) -> None:
        """Whole or not at all. Not forced to disk: it is the wearable that must survive a power cut, not its rig."""
        temporary = folder / f".{FILE}.new"
        temporary.write_text(json.dumps(asdict(self)) + "\n")
        temporary.replace(folder / FILE)
