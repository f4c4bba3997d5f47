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
    table = Table(
        title="Accuracy on later, unseen windows (%), by arm and by the part of each set that was labelled",
        title_justify="left",
    )
    table.add_column("patient")
    for arm, labels in content.heads:
        table.add_column(f"{arm}\n{labels}", justify="right")
    for row in content.rows:
        if row.mean:
            table.add_section()
        table.add_row(row.name, *(f"[green]{cell.text}[/]" if cell.best else cell.text for cell in row.cells))
    return table


def _traffic(facts: Facts) -> Table:
    table = Table(
        title="Bytes sent, sealed, against the same windows sent raw",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for head in (
        "patient",
        "features",
        "feature bytes",
        "as raw windows",
        "ratio",
        "calibration bytes",
        "model versions",
    ):
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
    table = Table(
        title="Rounds on the chain, with the heights of their blocks",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    for head in ("task", "round", "kind", "algorithm", "updates", "opened", "closed", "settled"):
        table.add_column(head, justify="left" if head in ("task", "kind", "algorithm") else "right", no_wrap=True)
    for row in facts.rounds:
        table.add_row(
            row.task,
            str(row.round),
            row.kind,
            row.algorithm,
            str(row.updates),
            str(row.opened_height),
            str(row.closed_height),
            str(row.settled_height or row.status),
        )
    return table
