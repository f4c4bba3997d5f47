"""Found a federation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="A folder to make; it must hold no federation yet.")],
    validators: Annotated[int, typer.Option(min=1, max=100, help="How many hospitals.")] = 4,
    base_port: Annotated[int, typer.Option(help="First of two ports for each validator.")] = 7600,
    federation: Annotated[str, typer.Option(help="The federation's name.")] = "salus",
    coordinator: Annotated[
        Path | None, typer.Option(help="The coordinator's key (PEM); made if it does not exist.")
    ] = None,
    release: Annotated[Path | None, typer.Option(help="The release key (PEM); made if it does not exist.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Task or pattern that hospitals take part in.")] = None,
    test: Annotated[bool, typer.Option("--test", help="A test federation: rounds of one update are allowed.")] = False,
) -> None:
    """Make keys, genesis.toml and one validator-N.toml with its folder for each hospital.

    Example: salus chain init federation --validators 4 --base-port 7600
    """
    from salus_chain.founding import init_chain
    from salus_chain.genesis import Policy, faults

    founded = init_chain(
        folder,
        validators=validators,
        federation=federation,
        base_port=base_port,
        policy=Policy(min_updates=1) if test else Policy(),
        tasks=tuple(task or ("*",)),
        coordinator_key=coordinator,
        release_key=release,
        test=test,
    )
    typer.echo(f"chain {founded.genesis.chain_id.hex()}")
    typer.echo(f"{validators} validators, of which {faults(validators)} may fail or lie")
    for path in founded.validators:
        typer.echo(f"salus chain run {path}")
