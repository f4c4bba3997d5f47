"""Take a whole chain along in one file, and replay one from its genesis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from salus_chain.commands.options import GenesisOption

if TYPE_CHECKING:
    from salus_chain.consensus.messages import Decided

SourceArgument = Annotated[
    str, typer.Argument(help="An archive of `export`, a validator's chain.sqlite (it may be running), or its URL.")
]


def export(
    source: SourceArgument,
    genesis: GenesisOption,
    out: Annotated[Path, typer.Option("--out", help="The archive to write.")] = Path("chain.cbor"),
) -> None:
    """Write a chain, every final block with its certificate, to one file that `audit` reads.

    Example: salus chain export validator-0/data/chain.sqlite --genesis genesis.toml --out chain.cbor
    """
    from salus_chain.audit.archive import write_archive
    from salus_chain.audit.sources import open_chain
    from salus_chain.commands.progress import blocks_bar
    from salus_chain.genesis import read_genesis

    founded = read_genesis(genesis)
    part = out.with_name(f"{out.name}.part")
    with open_chain(source, founded) as chain, part.open("wb") as file, blocks_bar() as progress:

        def watched() -> Iterator[Decided]:
            for each in chain.blocks:
                yield each
                progress(each.block.header.height, chain.height)

        size = write_archive(file, founded.chain_id, chain.height, watched())
    part.replace(out)
    typer.echo(f"{out}: {chain.height} blocks, {size} bytes; replay it: salus chain audit {out} --genesis {genesis}")


def audit(
    source: SourceArgument,
    genesis: GenesisOption,
    model: Annotated[str, typer.Option("--model", help="Which updates made this model: its digest, in hex.")] = "",
    task: Annotated[str, typer.Option("--task", help="Which updates made this task's current model.")] = "",
    blobs: Annotated[
        Path | None,
        typer.Option("--blobs", exists=True, file_okay=False, help="Recompute with the bytes of this blobs folder."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")] = False,
) -> None:
    """Replay a chain from its genesis: check every certificate, execute every block, compare every state root.

    With --model or --task, tell which updates made that model. Exits 0 when all holds, 1 with the first thing that
    does not.

    Example: salus chain audit chain.cbor --genesis genesis.toml --task activity --blobs validator-0/data/blobs
    """
    import json

    from salus_chain.audit.replay import Replay
    from salus_chain.audit.report import document, lines, made
    from salus_chain.audit.sources import open_chain
    from salus_chain.commands.progress import blocks_bar
    from salus_chain.errors import AuditError
    from salus_chain.genesis import read_genesis
    from salus_chain.node.storage.blobs import FolderBlobs

    founded = read_genesis(genesis)
    replay = Replay.of(founded)
    try:
        with open_chain(source, founded) as chain, blocks_bar() as progress:
            for each in chain.blocks:
                replay.add(each)
                progress(replay.state.height, chain.height)
        origin = made(replay, model, task, FolderBlobs(blobs) if blobs else None)
    except AuditError as error:
        typer.echo(f"FAILED  {error}", err=True)
        raise typer.Exit(1) from None
    if json_:
        typer.echo(json.dumps(document(replay, origin), indent=2))
    else:
        for line in lines(replay, origin):
            typer.echo(line)
