"""What a campaign has done, as JSON lines: on stderr for people, `progress.jsonl` for the report."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import structlog

Fact = str | int | float


@dataclass
class Stage:
    """A stage under way; facts added to it are written when it ends."""

    facts: dict[str, Fact] = field(default_factory=dict)

    def add(self, **facts: Fact) -> None:
        self.facts.update(facts)


class Progress:
    """Appends one line per finished stage: stage, task, start_ms, end_ms, ok and the stage's own facts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = structlog.wrap_logger(
            structlog.PrintLogger(sys.stderr),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
        )

    @contextmanager
    def stage(self, name: str, task: str, **facts: Fact) -> Iterator[Stage]:
        """Time a stage. One that raises is written with `ok` 0."""
        begin, stage, ok = _now_ms(), Stage(dict(facts)), 0
        self._log.info(f"{name} started", task=task, **facts)
        try:
            yield stage
            ok = 1
        finally:
            row: dict[str, Fact] = {
                "stage": name,
                "task": task,
                "start_ms": begin,
                "end_ms": _now_ms(),
                "ok": ok,
            }
            with self._path.open("a") as file:
                file.write(json.dumps({**row, **stage.facts}) + "\n")
            self._log.info(f"{name} {'done' if ok else 'failed'}", task=task, **stage.facts)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
