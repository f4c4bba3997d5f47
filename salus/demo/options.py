"""What a demo run was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """The demo's options; `folder` is absolute."""

    folder: Path
    data: str
    patients: int
    gateways: int
    validators: int
    rounds: int
    broker: str
    seed: int
    quick: bool
    patience: float = 1.0
    wearable: str = "auto"  # native, tflm, or native where it builds
