"""Join a running chain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from salus_chain.commands.options import GenesisOption


def join(
    folder: Annotated[Path, typer.Argument(help="A folder to make for this node.")],
    genesis: GenesisOption,
    name: Annotated[str, typer.Option(help="The hospital's name, new on the chain.")],
    host: Annotated[str, typer.Option(help="host:port for peers, as others reach it; clients use the next port.")],
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Protect the key by the passphrase in this file's first line.")
    ] = None,
) -> None:
    """Make the key and folder of a node that joins a running chain, and say what the validators have to vote on.

    It observes first; once it has caught up, they can seat it.

    Example: salus chain join hospital-5 --genesis genesis.toml --name hospital-5 --host salus.hospital-5.example:7600
    """
    from salus_chain.joining import prepare_join
    from salus_chain.passphrases import read_passphrase

    secret = read_passphrase(passphrase_file) if passphrase_file else None
    made = prepare_join(folder, genesis, name=name, host=host, passphrase=secret)
    member = made.member
    typer.echo("The sitting validators admit it, and seat it when it has caught up:")
    typer.echo(
        f"  salus chain validators propose admit {name} --public-key {member.public_key.hex()}"
        f" --peer {member.peer} --url {member.url} --genesis {genesis}"
    )
    typer.echo("Then, here:")
    typer.echo(f"  salus chain sync {folder} --from URL-OF-A-VALIDATOR    (its blocks so far, verified)")
    typer.echo(f"  salus chain run {folder}")
