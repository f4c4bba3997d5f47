"""What the commands do once their options are read."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from salus_coordinator.errors import ConfigError


def build_model(task: str, data: str, out: Path, seed: int, pretrain: int, quick: bool, serve: str) -> None:
    """Build or fetch the package, say so, and stay alive when asked to."""
    from salus_coordinator.model.build import Request, build
    from salus_coordinator.model.pretrain import QUICK, Recipe
    from salus_coordinator.tasks import SHIPPED, find_task

    host, port = _address(serve) if serve else ("", 0)
    found = find_task(task)
    source = data or SHIPPED.get(found.name, "")
    if not source:
        raise ConfigError(f"task {found.name} ships with no data set; name one: --data NAME")
    console = Console(stderr=True)
    request = Request(found, source, seed, pretrain or None, QUICK if quick else Recipe())
    with console.status("starting") as status:
        cached = build(request, out, lambda text: status.update(text))
    console.print(f"{out}: {'cached' if cached else 'built'}", highlight=False)
    if serve:
        from salus_coordinator.model.service import serve as run

        run(out, host, port)


def report_model(folder: Path, json_file: Path | None) -> None:
    """Print a package's tables."""
    from salus_coordinator.model.package import read
    from salus_coordinator.model.show import tables

    report = read(folder).report
    console = Console()
    for table in tables(report):
        console.print(table)
    _write(json_file, report)


def run_coordinator(config: Path, watch: bool) -> None:
    """Run a campaign to its end."""
    from salus_coordinator.shell import run

    run(config, watch)


def bench(json_file: Path | None, task: str, seconds: float) -> None:
    """Measure and print; the ratios are LiteRT over Keras `train_on_batch`."""
    from salus_coordinator.bench import gateway, table
    from salus_coordinator.tasks import find_task

    figures = gateway(find_task(task), seconds)
    Console().print(table(figures))
    _write(json_file, figures)


def _write(path: Path | None, figures: object) -> None:
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n")


def _address(text: str) -> tuple[str, int]:
    """`[HOST:]PORT`, host 127.0.0.1. Raises ConfigError."""
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise ConfigError(f"--serve {text}: give a port, or host:port")
    return host or "127.0.0.1", int(port)
