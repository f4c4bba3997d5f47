"""Run a validator, and ask how it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from salus_chain.commands.options import GenesisOption


def run(config: Annotated[Path, typer.Argument(help="A validator-N.toml.")]) -> None:
    """Run a validator until SIGTERM.

    Example: salus chain run federation/validator-0.toml
    """
    import asyncio
    import logging

    import structlog

    from salus_chain.errors import ChainError
    from salus_chain.node.process import run_validator

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    try:
        asyncio.run(run_validator(config))
    except* ChainError as errors:
        first: BaseException = errors
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None


def status(genesis: GenesisOption) -> None:
    """Show each validator's height. Exits 1 when fewer than a quorum answer.

    Example: salus chain status --genesis federation/genesis.toml
    """
    import asyncio

    from salus_chain.client import ChainClient
    from salus_chain.errors import ChainError
    from salus_chain.genesis import Genesis, quorum, read_genesis

    async def ask(federation: Genesis, url: str) -> str | None:
        try:
            async with ChainClient(federation, [url], timeout_s=2.0) as client:
                answer = await client.status()
        except ChainError:
            return None
        return f"height {answer.height}, chain {answer.chain_id.hex()[:16]}"

    async def ask_all(federation: Genesis) -> list[str | None]:
        return await asyncio.gather(*(ask(federation, each.url) for each in federation.validators))

    federation = read_genesis(genesis)
    answers = asyncio.run(ask_all(federation))
    for validator, answer in zip(federation.validators, answers, strict=True):
        typer.echo(f"{validator.name} {validator.url}: {answer or 'does not answer'}")
    up = sum(answer is not None for answer in answers)
    if up < quorum(len(answers)):
        typer.echo(f"{up} of {len(answers)} validators answer; {quorum(len(answers))} are needed", err=True)
        raise typer.Exit(1)
