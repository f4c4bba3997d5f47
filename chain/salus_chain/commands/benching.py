"""Measure the chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures here, too.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of everything: to see that it works.")] = False,
) -> None:
    """Measure four validator processes on this machine: latency, rates, outages, settlement, proofs, aggregation.

    Signatures are real, votes durable, connections TLS. A few minutes; other work on the machine spoils the figures.

    Example: salus bench chain --json chain.json
    """
    from rich.console import Console

    from salus_chain.bench.chain import FULL, QUICK, measure, tables, to_json

    measured = measure(QUICK if quick else FULL, lambda line: typer.echo(f"salus bench chain: {line}", err=True))
    for table in tables(measured):
        Console().print(table)
    if json is not None:
        json.write_text(to_json(measured))
