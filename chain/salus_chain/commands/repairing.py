"""Bring a validator's database back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def repair(
    config: Annotated[Path, typer.Argument(help="A validator's folder or validator.toml; it must not be running.")],
    source: Annotated[
        list[str] | None, typer.Option("--from", help="URL of a validator to ask first; by default all are asked.")
    ] = None,
) -> None:
    """Verify the database from the genesis on, and replace what is damaged or missing from the other validators.

    The damaged file is kept beside the new one. Exits 1 when the vote log is gone or damaged, and says what to do.

    Example: salus chain repair federation/validator-2
    """
    import asyncio

    from salus_chain.commands.progress import blocks_bar
    from salus_chain.node.repair import Repaired, repair_validator

    async def work() -> Repaired:
        with blocks_bar() as progress:
            return await repair_validator(config, source or [], progress)

    done = asyncio.run(work())
    if done.found:
        typer.echo(f"found    {done.found}")
        typer.echo(f"kept     {done.kept or 'nothing: there was no file'}")
    typer.echo(f"verified {done.height} blocks from the genesis on")
    if done.unreachable:
        typer.echo(f"later blocks could not be asked for: {done.unreachable}", err=True)
    typer.echo(f"salus chain run {config}")
