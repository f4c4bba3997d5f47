"""`salus data list`: what is installed, where, under which licence."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from salus_coordinator.data.sources import SOURCES, file_of, locate
from salus_coordinator.tasks import task_of_data


def table(root: Path | None = None) -> Table:
    """One row per known set; absent ones say how to get them."""
    root = root or locate()
    made = Table(title=f"Data sets (SALUS_DATA: {root})", title_justify="left")
    for heading in ("name", "what", "licence", "task", "here", "import"):
        made.add_column(heading, overflow="fold")
    for name, source in SOURCES.items():
        where = file_of(name, root)
        made.add_row(
            name,
            source.title,
            source.licence,
            task_of_data(name) or "(front end comes later)",
            "yes" if where else f"no: {source.get}",
            "yes" if source.import_files else "no need" if source.get.startswith("pip install") else "not yet",
        )
    return made
