"""What a wearable says about itself when it is done: two small JSON files in its state folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

from salus_hil.virtual.device import Device

Fact = int | str | list[int] | dict[str, int]

REPORT = "report.json"
PROGRESS = "progress.json"


def facts(name: str, device: Device, resent_packets: int) -> dict[str, Fact]:
    """Figures since enrolment; `sent_bytes` counts each sealed packet once, `resent_packets` since the last start."""
    flash = device.flash
    return {
        "device": name,
        "sent_bytes": flash.counters("sent "),
        "packets": flash.counter("packets"),
        "features": flash.counter("features"),
        "windows": flash.counter("windows"),
        "raw_window_bytes": flash.counter("raw_window_bytes"),
        "arena_bytes": device.slots.active.manifest.arena_bytes,
        "model_versions": device.slots.versions,
        "refused": flash.counters("refused "),
        "drops": device.ring.dropped,
        "resent_packets": resent_packets,
    }


def progress(name: str, device: Device, phases: int) -> dict[str, Fact]:
    """How many phases are replayed and acknowledged whole."""
    return {
        "device": name,
        "phases_done": device.flash.counter("phase"),
        "phases": phases,
        "features": device.flash.counter("features"),
        "windows": device.flash.counter("windows"),
        "model_version": device.slots.active.manifest.version,
        "clock_ms": device.clock_ms,
    }


def write(path: Path, content: dict[str, Fact]) -> None:
    """Whole or not at all: readers poll these files."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w") as file:
        file.write(json.dumps(content, indent=1) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
