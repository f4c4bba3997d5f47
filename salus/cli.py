"""The command `salus`: every part of the system under one name."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

import salus_chain.cli
import salus_coordinator.cli
import salus_edge.cli
import salus_hil.cli
import salus_hil.rigging
from salus.demo.cli import demo
from salus.errors import SalusError
from salus_chain.commands.benching import bench as bench_chain
from salus_chain.errors import ChainError, ConfigError
from salus_coordinator.errors import CoordinatorError
from salus_edge.errors import EdgeError
from salus_hil.bench.command import device as bench_device
from salus_hil.bench.command import frontend as bench_frontend
from salus_hil.bench.command import wearables as bench_wearables
from salus_hil.console.command import bench as bench_console
from salus_hil.errors import HilError

app = typer.Typer(
    name="salus",
    help="Personalised federated learning for medical wearables, settled on a proof-of-authority chain.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"salus {version('salus')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Start with `salus demo`."""


app.command("demo")(demo)
app.add_typer(salus_coordinator.cli.model_app, name="model")
app.add_typer(salus_edge.cli.app, name="gateway")
app.add_typer(salus_coordinator.cli.coordinator_app, name="coordinator")
app.add_typer(salus_chain.cli.app, name="chain")
app.add_typer(salus_hil.cli.app, name="wearable")
app.add_typer(salus_hil.rigging.app, name="hil")
app.add_typer(salus_coordinator.cli.data_app, name="data")
salus_coordinator.cli.bench_app.command("chain")(bench_chain)
salus_coordinator.cli.bench_app.command("console")(bench_console)
salus_coordinator.cli.bench_app.command("device")(bench_device)
salus_coordinator.cli.bench_app.command("frontend")(bench_frontend)
salus_coordinator.cli.bench_app.command("wearables")(bench_wearables)
app.add_typer(salus_coordinator.cli.bench_app, name="bench")


def main() -> None:
    """Run the command line; an error of ours is one line, exit code 2 for a wrong configuration, else 1."""
    try:
        app()
    except ConfigError as error:
        sys.exit(_say(error, 2))
    except (ChainError, EdgeError, CoordinatorError, HilError, SalusError) as error:
        sys.exit(_say(error, 1))


def _say(error: Exception, code: int) -> int:
    typer.echo(f"salus: {error}", err=True)
    return code
