"""Fetch proofs and check them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from salus_chain.commands.options import GenesisOption, TaskOption


def proof(
    round: Annotated[int, typer.Argument(min=1, help="The round's number.")],
    task: TaskOption,
    genesis: GenesisOption,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")] = Path("proof.cbor"),
) -> None:
    """Fetch the proof that a round was settled, check it, and write it to a file.

    Example: salus chain proof 3 --task activity --genesis federation/genesis.toml --out proof.cbor
    """
    import asyncio

    from salus_chain.client import ChainClient
    from salus_chain.genesis import read_genesis

    async def fetch() -> bytes:
        async with ChainClient(read_genesis(genesis)) as client:
            data = await client.settlement_proof(task, round)
            client.check_settlement(data, task, round)
            return data

    data = asyncio.run(fetch())
    out.write_bytes(data)
    typer.echo(f"{out}: {len(data)} bytes; check it with: salus chain verify {out} --genesis {genesis}")


def verify(
    proof: Annotated[Path, typer.Argument(help="A proof file.")],
    genesis: GenesisOption,
) -> None:
    """Check a settlement from two files alone. Exits 0 when it holds, 1 with the reason when it does not.

    Example: salus chain verify proof.cbor --genesis genesis.toml
    """
    from salus_chain.errors import ProofError
    from salus_chain.light.auditor import audit_files

    try:
        audit_files(proof, genesis, lambda line: typer.echo(f"ok  {line}"))
    except ProofError as error:
        typer.echo(f"FAILED  {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo("The settlement holds.")
