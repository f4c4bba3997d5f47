"""Found a federation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    folder: Annotated[Path, typer.Argument(help="A folder to make; it must hold no federation yet.")],
    validators: Annotated[
        int | None, typer.Option(min=1, max=100, help="How many hospitals; 4, or one for each --host.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(help="host:port of a validator, for its peers; its clients use the next port. Once for each."),
    ] = None,
    base_port: Annotated[int, typer.Option(help="Without hosts: first of two ports for each validator.")] = 7600,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Protect the keys by the passphrase in this file's first line.")
    ] = None,
    passphrase: Annotated[bool, typer.Option("--passphrase", help="Ask for a passphrase to protect the keys.")] = False,
    federation: Annotated[str, typer.Option(help="The federation's name.")] = "salus",
    coordinator: Annotated[
        Path | None, typer.Option(help="The coordinator's key (PEM); made if it does not exist.")
    ] = None,
    release: Annotated[Path | None, typer.Option(help="The release key (PEM); made if it does not exist.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Task or pattern that hospitals take part in.")] = None,
    test: Annotated[bool, typer.Option("--test", help="A test federation: rounds of one update are allowed.")] = False,
) -> None:
    """Make keys, genesis.toml, and for each hospital a folder validator-N, ready to copy to its machine.

    Example: salus chain init federation --validators 4 --base-port 7600

    Example: salus chain init federation --host a.example:7600 --host b.example:7600 --host c.example:7600 --passphrase
    """
    from salus_chain.founding import init_chain
    from salus_chain.genesis import Policy, faults
    from salus_chain.passphrases import read_passphrase

    count = validators or len(host or ()) or 4
    secret = _ask() if passphrase else read_passphrase(passphrase_file) if passphrase_file else None
    founded = init_chain(
        folder,
        validators=count,
        hosts=tuple(host or ()),
        passphrase=secret,
        federation=federation,
        base_port=base_port,
        policy=Policy(min_updates=1) if test else Policy(),
        tasks=tuple(task or ("*",)),
        coordinator_key=coordinator,
        release_key=release,
        test=test,
    )
    typer.echo(f"chain {founded.genesis.chain_id.hex()}")
    typer.echo(f"{count} validators, of which {faults(count)} may fail or lie")
    for path in founded.validators:
        typer.echo(f"salus chain run {path.parent}")


def _ask() -> bytes:
    answer: str = typer.prompt("Passphrase of the keys", hide_input=True, confirmation_prompt=True)
    return answer.encode()
