"""`salus chain`: found a federation, run a validator, look at the chain, prove and verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="chain",
    help="The hospitals' chain: found it, run a validator, prove and verify settlements.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

GenesisOption = Annotated[Path, typer.Option("--genesis", help="The federation's genesis.toml.")]
TaskOption = Annotated[str, typer.Option("--task", help="The task, such as activity.")]


@app.command()
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


@app.command()
def run(config: Annotated[Path, typer.Argument(help="A validator-N.toml.")]) -> None:
    """Run a validator until SIGTERM. It listens on loopback addresses only: there is no TLS yet.

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


@app.command()
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


@app.command()
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


@app.command()
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
