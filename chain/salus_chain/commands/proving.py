"""Fetch proofs and check them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from salus_chain.commands.options import GenesisOption

if TYPE_CHECKING:
    from salus_chain.light.proofs import ProofKind

proof = typer.Typer(help="Fetch a proof of what is final, check it, and write it to a file.", no_args_is_help=True)

OutOption = Annotated[Path, typer.Option("--out", help="The file to write.")]
TaskArgument = Annotated[str, typer.Argument(help="The task, such as activity.")]
RoundArgument = Annotated[int, typer.Argument(min=1, help="The round's number.")]
CheckpointOption = Annotated[
    Path | None, typer.Option("--checkpoint", help="Check from this file of `--save` on, instead of from the genesis.")
]
OUT = Path("proof.cbor")


@proof.command()
def settlement(task: TaskArgument, round: RoundArgument, genesis: GenesisOption, out: OutOption = OUT) -> None:
    """That a quorum settled a round, with the updates that it counts.

    Example: salus chain proof settlement activity 3 --genesis federation/genesis.toml
    """
    from salus_chain.light.proofs import ProofKind

    _fetch(ProofKind.SETTLEMENT, genesis, out, task=task, round=str(round))


@proof.command()
def update(
    task: TaskArgument,
    round: RoundArgument,
    gateway: Annotated[str, typer.Argument(help="The gateway's name.")],
    genesis: GenesisOption,
    out: OutOption = OUT,
) -> None:
    """That a gateway's own update was committed, and counts in the round's settlement.

    Example: salus chain proof update activity 3 ward-7 --genesis federation/genesis.toml
    """
    from salus_chain.light.proofs import ProofKind

    _fetch(ProofKind.UPDATE, genesis, out, task=task, round=str(round), gateway=gateway)


@proof.command()
def release(task: TaskArgument, genesis: GenesisOption, out: OutOption = OUT) -> None:
    """That a quorum approved a task's newest release.

    Example: salus chain proof release activity --genesis federation/genesis.toml
    """
    from salus_chain.light.proofs import ProofKind

    _fetch(ProofKind.RELEASE, genesis, out, task=task)


@proof.command()
def model(task: TaskArgument, genesis: GenesisOption, out: OutOption = OUT) -> None:
    """That a quorum approved a task's first model, or the one it was last started again with.

    Example: salus chain proof model activity --genesis federation/genesis.toml
    """
    from salus_chain.light.proofs import ProofKind

    _fetch(ProofKind.MODEL, genesis, out, task=task)


@proof.command()
def withdrawal(
    consent: Annotated[str, typer.Argument(help="The consent's salted digest, 64 hex digits.")],
    genesis: GenesisOption,
    out: OutOption = OUT,
) -> None:
    """That a consent was withdrawn, and still is.

    Example: salus chain proof withdrawal 9c1f…e2 --genesis federation/genesis.toml
    """
    from salus_chain.light.proofs import ProofKind

    _fetch(ProofKind.WITHDRAWAL, genesis, out, consent=consent)


@proof.command()
def members(genesis: GenesisOption, out: OutOption = OUT) -> None:
    """Who takes part: members, seats and coordinators after the last block.

    Example: salus chain proof members --genesis federation/genesis.toml
    """
    from salus_chain.light.proofs import ProofKind

    _fetch(ProofKind.MEMBERS, genesis, out)


def _fetch(kind: ProofKind, genesis: Path, out: Path, **about: str) -> None:
    import asyncio

    from salus_chain.client import ChainClient
    from salus_chain.errors import Rejected
    from salus_chain.genesis import read_genesis
    from salus_chain.keys import verify as verify_signature
    from salus_chain.light.proofs import check_proof

    async def ask() -> bytes:
        async with ChainClient(read_genesis(genesis)) as client:
            data = await client.proof(kind, **about)
            if data is None:
                what = " ".join([kind, *about.values()])
                raise Rejected("nothing_to_prove", f"{what}: the validator that was asked knows of none")
            check_proof(client.genesis, data, verify_signature)
            return data

    data = asyncio.run(ask())
    out.write_bytes(data)
    typer.echo(f"{out}: {len(data)} bytes; check it with: salus chain verify {out} --genesis {genesis}")


def verify(
    proof: Annotated[Path, typer.Argument(help="A proof file of any kind.")],
    genesis: GenesisOption,
    checkpoint: CheckpointOption = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the set of validators that the proof leads to.")
    ] = None,
) -> None:
    """Check a proof with the genesis alone, and tell what it proves.

    Exits 0 when it holds, 1 with the first check that fails when it does not.

    Example: salus chain verify proof.cbor --genesis genesis.toml
    """
    from salus_chain.errors import ProofError
    from salus_chain.light.auditor import audit_files

    try:
        proven = audit_files(proof, genesis, lambda line: typer.echo(f"ok  {line}"), checkpoint)
    except ProofError as error:
        typer.echo(f"FAILED  {error}", err=True)
        raise typer.Exit(1) from None
    if save:
        save.write_bytes(proven.checkpoint.to_bytes(proven.chain_id))
    typer.echo(f"The {proven.kind} proof holds.")
