"""The report on the terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from salus.report.facts import Facts
from salus.report.table import accuracy_table, headline


def show(facts: Facts, console: Console) -> None:
    """Print the accuracy table, the traffic, the rounds and the headline."""
    console.print()
    console.print(_accuracy(facts))
    console.print(_traffic(facts))
    console.print(_rounds(facts))
    for value, meaning in headline(facts):
        console.print(f"  [bold]{value:>14}[/]  {meaning}")


def _accuracy(facts: Facts) -> Table:
    content = accuracy_table(facts)
    table = _table("Accuracy on later, unseen windows (%), by arm and by the labelled part of each set")
    table.add_column("patient")
    for arm, labels in content.heads:
        table.add_column(f"{arm}\n{labels}", justify="right")
    for row in content.rows:
        if row.mean:
            table.add_section()
        table.add_row(row.name, *(f"[green]{cell.text}[/]" if cell.best else cell.text for cell in row.cells))
    return table


def _traffic(facts: Facts) -> Table:
    table = _table("Bytes sent, sealed, against the same windows sent raw")
    for head in ("patient", "features", "as features", "as windows", "ratio", "in calibration", "versions"):
        table.add_column(head, justify="left" if head == "patient" else "right", no_wrap=True)
    for row in facts.traffic:
        table.add_row(
            row.patient,
            f"{row.features:,}",
            f"{row.feature_bytes:,}",
            f"{row.raw_window_bytes:,}",
            f"{row.raw_window_bytes / max(1, row.feature_bytes):.1f}",
            f"{row.sent_bytes.get('window', 0):,}",
            " → ".join(map(str, row.model_versions)),
        )
    return table


def _rounds(facts: Facts) -> Table:
    table = _table("Rounds on the chain, with the heights of the blocks that opened, closed and settled them")
    for head in ("task", "round", "kind", "algorithm", "updates", "blocks"):
        table.add_column(head, justify="left" if head in ("task", "kind", "algorithm") else "right", no_wrap=True)
    for row in facts.rounds:
        table.add_row(
            row.task,
            str(row.round),
            row.kind,
            row.algorithm,
            str(row.updates),
            f"{row.opened_height} → {row.closed_height or '–'} → {row.settled_height or row.status}",
        )
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
