"""Bars where a person would wait; on standard error, and only at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def blocks_bar(what: str = "blocks") -> Iterator[Callable[[int, int], None]]:
    """Gives `progress(height, target)`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        row = bar.add_task(what, total=None)
        yield lambda height, target: bar.update(row, completed=height, total=target)
