"""`salus wearable`: wearables as processes of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Wearables without a board: for demos and tests.", no_args_is_help=True)


@app.callback()
def wearable() -> None:
    """Wearables without a board: for demos and tests."""


@app.command()
def simulate(
    configs: Annotated[list[Path], typer.Argument(help="One TOML file per wearable; all run in this process.")],
) -> None:
    """Replay people's recordings through virtual wearables; ends when every packet is acknowledged.

    Example: salus wearable simulate wearable-p05.toml wearable-p06.toml
    """
    from salus_coordinator.errors import CoordinatorError
    from salus_edge.errors import ConfigError, EdgeError
    from salus_hil.errors import HilError
    from salus_hil.virtual.run import simulate as run

    try:
        run(configs)
    except (ConfigError, CoordinatorError, EdgeError, HilError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None


@app.command()
def replay(
    configs: Annotated[list[Path], typer.Argument(help="One TOML file per wearable; the same as for `simulate`.")],
    program: Annotated[
        Path | None,
        typer.Option(help="The firmware's host program; else $SALUS_WEARABLE, salus-wearable, or the one built here."),
    ] = None,
) -> None:
    """Replay people's recordings through the firmware itself, one process each; ends when all is acknowledged.

    Example: salus wearable replay wearable-p05.toml wearable-p06.toml
    """
    from salus_coordinator.errors import CoordinatorError
    from salus_edge.errors import ConfigError, EdgeError
    from salus_hil.errors import HilError
    from salus_hil.replay.program import find_program
    from salus_hil.replay.run import replay as run

    try:
        run(configs, find_program(program))
    except (ConfigError, CoordinatorError, EdgeError, HilError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from None
