"""Bring a validator's database back, or to the present."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from salus_chain.node.recovery.repair import Repaired

ConfigArgument = Annotated[
    Path, typer.Argument(help="A validator's folder, or its validator.toml; it must not be running.")
]
FromOption = Annotated[
    list[str] | None, typer.Option("--from", help="URL of a member to ask first; by default all are asked.")
]
PassphraseOption = Annotated[
    Path | None, typer.Option(help="Holds the key's passphrase; else SALUS_PASSPHRASE does, or you are asked.")
]


def repair(config: ConfigArgument, source: FromOption = None, passphrase_file: PassphraseOption = None) -> None:
    """Verify the database from the genesis on, and replace what is damaged or missing from the other validators.

    The damaged file is kept beside the new one. Exits 1 when the vote log is gone or damaged, and says what to do.

    Example: salus chain repair federation/validator-2
    """
    done = _fetch(config, source, passphrase_file)
    if done.found:
        typer.echo(f"found    {done.found}")
        typer.echo(f"kept     {done.kept or 'nothing: there was no file'}")
    typer.echo(f"verified {done.height} blocks from the genesis on")
    if done.unreachable:
        typer.echo(f"later blocks could not be asked for: {done.unreachable}", err=True)
    typer.echo(f"salus chain run {config}")


def sync(config: ConfigArgument, source: FromOption = None, passphrase_file: PassphraseOption = None) -> None:
    """Fetch and verify all final blocks before a first start, by a genesis and one member's URL alone.

    What is interrupted goes on where it was. Exits 1 when no member answers, or two of them prove a fork.

    Example: salus chain sync hospital-7 --from https://salus.hospital-0.example:7601
    """
    done = _fetch(config, source, passphrase_file)
    typer.echo(f"verified {done.height} blocks from the genesis on")
    if done.unreachable:
        typer.echo(f"later blocks could not be asked for: {done.unreachable}", err=True)
        raise typer.Exit(1)


def _fetch(config: Path, source: list[str] | None, passphrase_file: Path | None) -> Repaired:
    import asyncio

    from salus_chain.commands.progress import blocks_bar
    from salus_chain.node.recovery.repair import repair_validator

    with blocks_bar() as progress:
        return asyncio.run(repair_validator(config, source or [], progress, passphrase_file))
