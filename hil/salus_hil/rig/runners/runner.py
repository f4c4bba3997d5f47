"""The power switch of a rig's wearable: what a test sees of it, whatever is behind."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Runner(Protocol):
    """One wearable's power switch."""

    @property
    def running(self) -> bool:
        """Whether it has power, as far as this side can know."""
        ...

    @property
    def flash(self) -> list[Path]:
        """The files that are its flash; none where it is on a board."""
        ...

    def start(self) -> str:
        """Give power; the serial port's name or URL. Raises RigError: it does not come up."""
        ...

    def cut(self) -> None:
        """Take the power away, at once."""
        ...

    def stop(self) -> None:
        """End in good order, as far as it can."""
        ...
