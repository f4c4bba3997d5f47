"""Changes of validators and coordinators: proposed, signed by one hospital after another, put on chain."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from salus_chain.commands.options import GenesisOption
from salus_chain.commands.transacting import TIMEOUT_S, KeyOption, TimeoutOption

if TYPE_CHECKING:
    from salus_chain.ballots import Motion
    from salus_chain.genesis import Validator
    from salus_chain.rules.roster import Roster

validators = typer.Typer(
    help="Who decides: list, and change by a vote of the sitting validators, by files that go from one to the next.",
    no_args_is_help=True,
)

BallotArgument = Annotated[Path, typer.Argument(help="A ballot file of `propose`.")]
COORDINATORS = ("authorize", "deauthorize")


@validators.command("list")
def list_(
    genesis: GenesisOption, as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False
) -> None:
    """Show who decides, who observes, and the change that is pending; proven from the genesis.

    Example: salus chain validators list --genesis federation/genesis.toml
    """
    import json
    from dataclasses import asdict

    from salus_chain.genesis import faults, quorum

    roster = _roster(genesis)
    if as_json:
        fields = asdict(roster) | {"quorum": quorum(len(roster.validators)), "pending": roster.pending}
        typer.echo(json.dumps(fields, default=lambda value: "0x" + value.hex()))
        return
    for member in roster.members:
        typer.echo(f"{_part(roster, member):9}  {member.name}  {member.public_key.hex()}  {member.peer}  {member.url}")
    for key in roster.coordinators:
        typer.echo(f"opens      {key.hex()}")
    seats = len(roster.validators)
    typer.echo(f"{seats} decide by {quorum(seats)}; {faults(seats)} may fail or lie; {roster.sequence} changes so far")


def _part(roster: Roster, member: Validator) -> str:
    now, then = member.public_key in roster.validators, member.public_key in roster.next_validators
    return {(True, True): "decides", (True, False): "leaves", (False, True): "joins", (False, False): "observes"}[
        now, then
    ]


@validators.command()
def propose(
    change: Annotated[str, typer.Argument(help="admit, seat, unseat, dismiss, update, authorize or deauthorize.")],
    who: Annotated[str, typer.Argument(help="The member's name; of a coordinator, its public key in hex.")],
    genesis: GenesisOption,
    public_key: Annotated[str, typer.Option("--public-key", help="To admit: 66 hex digits.")] = "",
    peer: Annotated[str, typer.Option("--peer", help="To admit or update: host:port for peers.")] = "",
    url: Annotated[str, typer.Option("--url", help="To admit or update: https://host:port for clients.")] = "",
    rename: Annotated[str, typer.Option("--rename", help="To update: its new name.")] = "",
    out: Annotated[Path, typer.Option("--out", help="The ballot file to write.")] = Path("ballot.json"),
) -> None:
    """Write a ballot that the sitting validators sign. A new hospital is admitted first, and seated when caught up.

    Example: salus chain validators propose seat hospital-5 --genesis federation/genesis.toml --out ballot.json
    """
    from salus_chain.ballots import Ballot, write_ballot
    from salus_chain.errors import ConfigError
    from salus_chain.genesis import read_genesis

    if out.exists():
        raise ConfigError(f"{out}: exists already; choose another file")
    roster = _roster(genesis)
    motion = _motion(roster, change, who, public_key=public_key, peer=peer, url=url, rename=rename)
    ballot = Ballot(read_genesis(genesis).chain_id, roster.validators, motion)
    write_ballot(out, ballot)
    typer.echo(f"{out}: {ballot.words}")
    typer.echo(
        f"{ballot.wanted} of {len(ballot.validators)} sign: salus chain validators sign {out} --key … --genesis …"
    )


def _motion(roster: Roster, change: str, who: str, *, public_key: str, peer: str, url: str, rename: str) -> Motion:
    from salus_chain.genesis import Validator
    from salus_chain.rules.transactions import Authorize, Change, Deauthorize, SetValidators

    sequence = roster.sequence + 1
    if change in COORDINATORS:
        return (Authorize if change == "authorize" else Deauthorize)(sequence, _key(who))
    if change.upper() not in Change.__members__:
        raise typer.BadParameter(
            f"{change!r} is none of admit, seat, unseat, dismiss, update, {', '.join(COORDINATORS)}"
        )
    if change == "admit":
        return SetValidators(sequence, Change.ADMIT, Validator(who, _key(public_key), peer, url))
    known = next((member for member in roster.members if member.name == who), None)
    if known is None:
        raise typer.BadParameter(f"{who!r} is no member; `salus chain validators list` shows them")
    if change == "update":
        known = Validator(rename or known.name, known.public_key, peer or known.peer, url or known.url)
    return SetValidators(sequence, Change[change.upper()], known)


@validators.command()
def sign(ballot: BallotArgument, genesis: GenesisOption, key: KeyOption) -> None:
    """Read what is asked for, sign it, and add the signature to the file. No network is needed.

    Example: salus chain validators sign ballot.json --key validator-0/key.pem --genesis federation/genesis.toml
    """
    from salus_chain.ballots import read_ballot, signed, write_ballot
    from salus_chain.genesis import read_genesis
    from salus_chain.passphrases import open_key

    made = signed(read_ballot(ballot, read_genesis(genesis)), open_key(key))
    write_ballot(ballot, made)
    typer.echo(f"signed: {made.words}")
    typer.echo(f"{len(made.signatures)} of {made.wanted} signatures")


@validators.command()
def submit(
    ballots: Annotated[list[Path], typer.Argument(help="The ballot, or copies that hospitals signed apart.")],
    genesis: GenesisOption,
    timeout_s: TimeoutOption = TIMEOUT_S,
) -> None:
    """Put a ballot that a quorum signed on chain, and wait until it is final. Exits 1 with code and reason.

    Example: salus chain validators submit ballot.json --genesis federation/genesis.toml
    """
    from salus_chain.ballots import gathered, read_ballot, transaction
    from salus_chain.commands.transacting import submit_and_wait
    from salus_chain.genesis import read_genesis

    federation = read_genesis(genesis)
    whole = gathered([read_ballot(path, federation) for path in ballots])
    submit_and_wait(transaction(whole), genesis, timeout_s)


def _roster(genesis: Path) -> Roster:
    """Who takes part now, proven from the genesis."""
    import asyncio

    from salus_chain.client import ChainClient
    from salus_chain.genesis import read_genesis

    async def ask() -> Roster:
        async with ChainClient(read_genesis(genesis)) as client:
            return await client.members()

    return asyncio.run(ask())


def _key(digits: str) -> bytes:
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != 33:
        raise typer.BadParameter(f"{digits!r} is not a public key of 66 hex digits")
    return key
