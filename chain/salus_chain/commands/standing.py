"""Ask every validator how it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from salus_chain.commands.options import GenesisOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from salus_chain.genesis import Genesis, Validator
    from salus_chain.views import Status

    Answers = Sequence[tuple[Validator, Status | None]]

ASK_S = 3.0
COLUMNS = ("validator", "height", "round", "there", "lag", "waiting", "url")


def status(
    genesis: GenesisOption, as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False
) -> None:
    """Show where each validator stands, and in words what holds the chain up. Exits 1 without a quorum.

    Example: salus chain status --genesis federation/genesis.toml
    """
    import asyncio
    import json

    from salus_chain.genesis import quorum, read_genesis

    answers = asyncio.run(_ask_all(read_genesis(genesis)))
    up, wanted = sum(answer is not None for _, answer in answers), quorum(len(answers))
    report = _report(answers)
    if as_json:
        rows = [_fields(seat, answer) for seat, answer in answers]
        typer.echo(json.dumps({"validators": rows, "answering": up, "quorum": wanted, "report": report}))
    else:
        _table(answers)
        if report:
            typer.echo(report)
    if up < wanted:
        typer.echo(f"{up} of {len(answers)} validators answer; {wanted} are needed", err=True)
        raise typer.Exit(1)


async def _ask_all(federation: Genesis) -> Answers:
    """The validators of now, where one proves them, else those of the genesis; each with its answer."""
    import asyncio

    from salus_chain.client import ChainClient
    from salus_chain.errors import ChainError

    async def ask(seat: Validator, client: ChainClient) -> tuple[Validator, Status | None]:
        try:
            return seat, await client.status_of(seat.url)
        except ChainError:
            return seat, None

    async with ChainClient(federation, timeout_s=ASK_S) as client:
        try:
            seats = (await client.members()).seats
        except ChainError:
            seats = federation.validators
        return await asyncio.gather(*(ask(seat, client) for seat in seats))


def _report(answers: Answers) -> str:
    """That of the validator that is farthest."""
    known = [answer for _, answer in answers if answer is not None]
    return max(known, key=lambda each: (each.height, each.round)).report if known else ""


def _fields(seat: Validator, answer: Status | None) -> dict[str, object]:
    if answer is None:
        return {"name": seat.name, "url": seat.url, "answers": False}
    return {
        "name": seat.name,
        "url": seat.url,
        "answers": True,
        "height": answer.height,
        "round": answer.round,
        "there": sum(each.there for each in answer.seats),
        "waiting": answer.waiting,
        "time_ms": answer.time_ms,
        "report": answer.report,
    }


def _table(answers: Answers) -> None:
    highest = max((answer.height for _, answer in answers if answer is not None), default=0)
    rows: list[Sequence[str]] = [COLUMNS]
    for seat, answer in answers:
        if answer is None:
            rows.append((seat.name, "does not answer", "", "", "", "", seat.url))
            continue
        there = f"{sum(each.there for each in answer.seats)}/{len(answer.seats)}"
        numbers = (answer.height, answer.round, there, highest - answer.height, answer.waiting)
        rows.append((seat.name, *map(str, numbers), seat.url))
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
