"""`salus model`, `salus data`, `salus coordinator`, `salus bench`: the coordinator's commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

model_app = typer.Typer(help="Build a task's model package and look at it.", no_args_is_help=True)
data_app = typer.Typer(help="Data sets: what is here, and importing what you downloaded.", no_args_is_help=True)
coordinator_app = typer.Typer(help="Run a campaign of federated rounds and releases.", no_args_is_help=True)
bench_app = typer.Typer(help="Measure, against what one would use otherwise.", no_args_is_help=True)


@model_app.command("build")
def model_build(
    task: Annotated[str, typer.Argument(help="exercise, fall, activity, or the path of a task's TOML.")] = "exercise",
    data: Annotated[str, typer.Option(help="Data set to pre-train on; empty: the task's own.")] = "",
    out: Annotated[Path, typer.Option(help="Folder to write the model package to.")] = Path("model"),
    seed: Annotated[int, typer.Option(help="Who pre-trains, first weights, batches.")] = 0,
    pretrain: Annotated[int, typer.Option(min=0, help="How many people pre-train; 0: 40 % of them.")] = 0,
    quick: Annotated[bool, typer.Option("--quick", help="Little pre-training: for tests, not for figures.")] = False,
    serve: Annotated[str, typer.Option(help="Then stay alive and requantise at [HOST:]PORT.")] = "",
) -> None:
    """Train, quantise to int8, check operators, flash, arena and MACs, write golden vectors and the training
    program.

    Example: salus model build exercise --data watch --out model
    """
    from salus_coordinator.commands import build_model

    build_model(task, data, out, seed, pretrain, quick, serve)


@model_app.command("report")
def model_report(
    folder: Annotated[Path, typer.Argument(help="A model package.")] = Path("model"),
    json: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """What a model package holds: operators, flash, arena and MACs against the budget, accuracies, digests.

    Example: salus model report model --json report.json
    """
    from salus_coordinator.commands import report_model

    report_model(folder, json)


@data_app.command("list")
def data_list() -> None:
    """Which data sets are installed, under which licence, and how to get the others.

    Example: SALUS_DATA=/srv/data salus data list
    """
    from rich.console import Console

    from salus_coordinator.data.listing import table

    Console().print(table())


@data_app.command("import")
def data_import(
    name: Annotated[str, typer.Argument(help="Data set, as `salus data list` names it.")],
    source: Annotated[Path, typer.Argument(help="Folder with the original files that you downloaded.")],
) -> None:
    """Read a data set's original files and write it into SALUS_DATA; nothing is written when anything is
    wrong.

    Example: salus data import weda_fall ~/Downloads/WEDA-FALL/dataset
    """
    from salus_coordinator.data.sources import import_data

    typer.echo(f"wrote {import_data(name, source)}")


@coordinator_app.command("run")
def coordinator_run(
    config: Annotated[Path, typer.Argument(help="The campaign: coordinator.toml.")] = Path("coordinator.toml"),
    watch: Annotated[bool, typer.Option("--watch", help="Keep scheduling the last round again and again.")] = False,
) -> None:
    """Approve the model, open rounds, wait for settlements, requantise, sign and approve releases.

    It reads the chain first and goes on where the campaign stands, so it may be stopped and started at any
    time.

    Example: salus coordinator run coordinator.toml
    """
    from salus_coordinator.commands import run_coordinator

    run_coordinator(config, watch)


@bench_app.command("gateway")
def bench_gateway(
    json: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
    task: Annotated[str, typer.Option(help="exercise, fall, activity, or the path of a task's TOML.")] = "exercise",
    seconds: Annotated[float, typer.Option(min=0.1, help="How long each measurement runs.")] = 3.0,
) -> None:
    """Training steps/s and memory of the LiteRT program against Keras `fit` and `train_on_batch`, one core
    each.

    Example: salus bench gateway --json bench.json
    """
    from salus_coordinator.commands import bench

    bench(json, task, seconds)
