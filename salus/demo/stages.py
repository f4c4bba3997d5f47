"""Stages of a run: what the person sees while waiting, and how long each took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console

from salus.report.facts import Stage


@dataclass
class Stages:
    """Shows a spinner for the running stage and a line with its time when it is done."""

    console: Console
    started: float = field(default_factory=time.monotonic)
    done: list[Stage] = field(default_factory=list)

    def elapsed_s(self) -> float:
        return time.monotonic() - self.started

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage; its line is kept also when it fails."""
        begin = self.elapsed_s()
        mark = "[red]✗[/]"
        with self.console.status(f"{name} …"):
            try:
                yield
                mark = "[green]✓[/]"
            finally:
                end = self.elapsed_s()
                self.done.append(Stage(name=name, start_s=begin, end_s=end))
                self.console.print(f"{mark} {name} [dim]{end - begin:.1f} s[/]")

    def say(self, text: str) -> None:
        """A line inside the running stage."""
        self.console.print(f"  [dim]{self.elapsed_s():5.1f} s[/]  {text}", highlight=False)
