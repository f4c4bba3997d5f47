"""Following the campaign: what the coordinator writes to progress.jsonl, and how far the wearables are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salus.demo.prepare import Prepared


@dataclass
class Follower:
    """Reads complete new lines of a growing file of JSON lines."""

    path: Path
    offset: int = 0

    def new(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [json.loads(line) for line in whole.splitlines()]


def told(row: dict[str, Any]) -> str:
    """One line of the coordinator's progress, for a person."""
    took = f"[dim]{(row['end_ms'] - row['start_ms']) / 1000:.1f} s[/]"
    match row["stage"]:
        case "round" if row.get("status") == "settled":
            what = f"round {row['round']} ({row['kind']}, {row['algorithm']}): {row['updates']} updates, "
            return f"{row['task']}: {what}settled in block {row['settled_height']} {took}"
        case "round":
            return f"{row['task']}: round {row['round']} {row.get('status', 'failed')} {row.get('reason', '')} {took}"
        case "release":
            return f"{row['task']}: release {row['version']} approved in block {row.get('height', '–')} {took}"
        case "approve_model":
            return f"{row['task']}: first model approved in block {row.get('height', '–')} {took}"
        case stage:
            return f"{row['task']}: {stage} {took}"


def phases_done(prepared: Prepared) -> int:
    """How many phases of its replay the slowest wearable has had acknowledged."""
    return min(_phases(prepared.space.state(patient.device) / "progress.json") for patient in prepared.roles.patients)


def _phases(path: Path) -> int:
    return int(json.loads(path.read_text())["phases_done"]) if path.exists() else 0
