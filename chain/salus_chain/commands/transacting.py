"""Sign a transaction with a key file, submit it, and wait until it is final."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from salus_chain.commands.options import GenesisOption

if TYPE_CHECKING:
    from salus_chain.client import ChainClient
    from salus_chain.rules.transactions import Body

tx = typer.Typer(
    help="Sign a transaction, submit it, and wait until it is final. Exits 1 with code and reason when it is refused.",
    no_args_is_help=True,
)

KeyOption = Annotated[Path, typer.Option("--key", help="The signer's key file (PEM).")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show the signed transaction; submit nothing.")]
NonceOption = Annotated[
    int | None, typer.Option("--nonce", min=0, help="The signer's next nonce; asked of a validator by default.")
]
TimeoutOption = Annotated[float, typer.Option("--timeout-s", min=0.0, help="How long to wait for it to be final.")]
GatewayArgument = Annotated[str, typer.Argument(help="The gateway's name.")]
DigestArgument = Annotated[str, typer.Argument(help="A salted SHA-256 digest, 64 hex digits.")]
TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Order:
    """What all of these commands are told."""

    genesis: Path
    key: Path
    nonce: int | None
    timeout_s: float
    dry_run: bool


@tx.command()
def enrol(
    gateway: GatewayArgument,
    public_key: Annotated[str, typer.Argument(help="The gateway's public key, 66 hex digits.")],
    patients: Annotated[int, typer.Argument(min=0, help="How many patients are enrolled at it.")],
    genesis: GenesisOption,
    key: KeyOption,
    nonce: NonceOption = None,
    timeout_s: TimeoutOption = TIMEOUT_S,
    dry_run: DryRunOption = False,
) -> None:
    """A hospital enrols its gateway, or changes its key or number of patients.

    Example: salus chain tx enrol ward-7 02ab… 4 --key validator-0/key.pem --genesis genesis.toml
    """
    from salus_chain.rules.transactions import Enrol

    _sign(Enrol(gateway, _octets(public_key, 33), patients), Order(genesis, key, nonce, timeout_s, dry_run))


@tx.command()
def revoke(
    gateway: GatewayArgument,
    genesis: GenesisOption,
    key: KeyOption,
    nonce: NonceOption = None,
    timeout_s: TimeoutOption = TIMEOUT_S,
    dry_run: DryRunOption = False,
) -> None:
    """A hospital ends its gateway's part.

    Example: salus chain tx revoke ward-7 --key validator-0/key.pem --genesis genesis.toml
    """
    from salus_chain.rules.transactions import Revoke

    _sign(Revoke(gateway), Order(genesis, key, nonce, timeout_s, dry_run))


@tx.command()
def consent(
    consent: DigestArgument,
    device: DigestArgument,
    genesis: GenesisOption,
    key: KeyOption,
    form: Annotated[str, typer.Option(help="SHA-256 of the text that the patient signed, in hex.")] = "00" * 32,
    task: Annotated[list[str] | None, typer.Option(help="What it is for; repeat it for several tasks.")] = None,
    nonce: NonceOption = None,
    timeout_s: TimeoutOption = TIMEOUT_S,
    dry_run: DryRunOption = False,
) -> None:
    """A hospital writes down a patient's consent for a device.

    Example: salus chain tx consent 3f… 9a… --form 51… --task fall --key validator-0/key.pem --genesis genesis.toml
    """
    from salus_chain.rules.transactions import Consent

    body = Consent(_octets(consent, 32), _octets(device, 32), _octets(form, 32), tuple(task or ()))
    _sign(body, Order(genesis, key, nonce, timeout_s, dry_run))


@tx.command()
def withdraw(
    consent: DigestArgument,
    genesis: GenesisOption,
    key: KeyOption,
    nonce: NonceOption = None,
    timeout_s: TimeoutOption = TIMEOUT_S,
    dry_run: DryRunOption = False,
) -> None:
    """A hospital writes down that a consent was withdrawn.

    Example: salus chain tx withdraw 3f… --key validator-0/key.pem --genesis genesis.toml
    """
    from salus_chain.rules.transactions import Withdraw

    _sign(Withdraw(_octets(consent, 32)), Order(genesis, key, nonce, timeout_s, dry_run))


@tx.command()
def attest(
    gateway: GatewayArgument,
    score: Annotated[int, typer.Argument(min=0, max=1_000, help="Per mille.")],
    statement: Annotated[str, typer.Argument(help="SHA-256 of the document that says why, 64 hex digits.")],
    genesis: GenesisOption,
    key: KeyOption,
    nonce: NonceOption = None,
    timeout_s: TimeoutOption = TIMEOUT_S,
    dry_run: DryRunOption = False,
) -> None:
    """A hospital attests how far its gateway's updates may be trusted.

    Example: salus chain tx attest ward-7 950 3f… --key validator-0/key.pem --genesis genesis.toml
    """
    from salus_chain.rules.transactions import Attest

    _sign(Attest(gateway, score, _octets(statement, 32)), Order(genesis, key, nonce, timeout_s, dry_run))


@tx.command("open-round")
def open_round(
    task: Annotated[str, typer.Argument(help="The task, such as activity.")],
    variables: Annotated[list[str], typer.Argument(help="Names of the layout that are shared, in its order.")],
    genesis: GenesisOption,
    key: KeyOption,
    norm_bound: Annotated[float, typer.Option(help="The L2 bound of an update.")],
    base_sha256: Annotated[str, typer.Option(help="The base of the features, 64 hex digits.")] = "00" * 32,
    kind: Annotated[str, typer.Option(help="feature or calibration.")] = "feature",
    algorithm: Annotated[str, typer.Option(help="The training schedule.")] = "fedavg",
    rule: Annotated[str, typer.Option(help="The aggregation rule.")] = "clipped_mean",
    parameter: Annotated[list[str] | None, typer.Option(help="NAME=INTEGER, as often as needed.")] = None,
    min_updates: Annotated[int, typer.Option(min=1)] = 3,
    w_max: Annotated[int, typer.Option(min=1, help="Patients of one gateway that count at most.")] = 100,
    open_s: Annotated[float, typer.Option(help="How long updates are taken.")] = 3_600.0,
    settle_s: Annotated[float, typer.Option(help="How long it may then take to settle.")] = 3_600.0,
    nonce: NonceOption = None,
    timeout_s: TimeoutOption = TIMEOUT_S,
    dry_run: DryRunOption = False,
) -> None:
    """A coordinator opens the task's next round. Number and training program are as the chain has them.

    Example: salus chain tx open-round activity trunk0/kernel head/kernel --norm-bound 1 --key k.pem --genesis g.toml
    """
    import time

    from salus_chain.errors import Rejected
    from salus_chain.rules.transactions import OpenRound

    base, parameters = _octets(base_sha256, 32), tuple(sorted(map(_parameter, parameter or [])))

    async def body(client: ChainClient) -> OpenRound:
        known = await client.task(task)
        if known is None:
            raise Rejected("unknown_task", f"task {task} is not on this chain")
        deadline_ms = time.time_ns() // 1_000_000 + round(open_s * 1_000)
        return OpenRound(
            task,
            known.round + 1,
            kind,
            base,
            known.program_digest,
            tuple(variables),
            algorithm,
            parameters,
            rule,
            round(norm_bound * (1 << 24)),
            min_updates,
            w_max,
            deadline_ms,
            deadline_ms + round(settle_s * 1_000),
        )

    _run(Order(genesis, key, nonce, timeout_s, dry_run), body)


@tx.command()
def evidence(
    file: Annotated[Path, typer.Argument(help="Canonical bytes of the evidence: a key and two signed votes.")],
    genesis: GenesisOption,
    timeout_s: TimeoutOption = TIMEOUT_S,
    dry_run: DryRunOption = False,
) -> None:
    """Anyone proves that a validator signed two votes against each other. It needs no key.

    Example: salus chain tx evidence evidence.cbor --genesis genesis.toml
    """
    from salus_chain.codec import decode
    from salus_chain.genesis import read_genesis
    from salus_chain.rules.transactions import Evidence, evidence_transaction

    data = evidence_transaction(read_genesis(genesis).chain_id, Evidence.read(decode(_bytes(file))))
    _submit(data, genesis, timeout_s, dry_run)


@tx.command()
def send(
    file: Annotated[Path, typer.Argument(help="A signed transaction: its canonical bytes.")],
    genesis: GenesisOption,
    timeout_s: TimeoutOption = TIMEOUT_S,
    dry_run: DryRunOption = False,
) -> None:
    """Submit a transaction that was signed elsewhere.

    Example: salus chain tx send signed.cbor --genesis genesis.toml
    """
    _submit(_bytes(file), genesis, timeout_s, dry_run)


def _sign(body: Body, order: Order) -> None:
    async def given(client: ChainClient) -> Body:
        return body

    _run(order, given)


def _run(order: Order, body: Callable[[ChainClient], Awaitable[Body]]) -> None:
    """Sign what `body` gives, and submit it."""
    import asyncio

    from salus_chain.client import ChainClient
    from salus_chain.genesis import read_genesis
    from salus_chain.passphrases import open_key
    from salus_chain.rules.transactions import sign_transaction

    federation, signer = read_genesis(order.genesis), open_key(order.key)

    async def made() -> bytes:
        async with ChainClient(federation) as client:
            nonce = await client.next_nonce(signer.public_key) if order.nonce is None else order.nonce
            return sign_transaction(federation.chain_id, signer, nonce, await body(client))

    _submit(asyncio.run(made()), order.genesis, order.timeout_s, order.dry_run)


def _submit(data: bytes, genesis: Path, timeout_s: float, dry_run: bool) -> None:
    if dry_run:
        typer.echo(decoded(data))
    else:
        submit_and_wait(data, genesis, timeout_s)


def submit_and_wait(data: bytes, genesis: Path, timeout_s: float) -> None:
    """Submit a transaction and say where it became final; exit 1 when it is not in time. Raises ChainError."""
    import asyncio

    from salus_chain.client import ChainClient
    from salus_chain.genesis import read_genesis
    from salus_chain.rules.transactions import read_transaction

    made = read_transaction(data)
    federation = read_genesis(genesis)

    async def final() -> int:
        async with ChainClient(federation) as client:
            return await client.submit_final(data, timeout_s)

    try:
        height = asyncio.run(final())
    except TimeoutError:
        typer.echo(f"not_final: {made.kind.name.lower()} {made.id.hex()} after {timeout_s:g} s; ask again", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{made.kind.name.lower()} {made.id.hex()} is final at height {height}")


def decoded(data: bytes) -> str:
    """A transaction by field, as JSON. Raises DecodeError."""
    import json
    from dataclasses import asdict

    from salus_chain.rules.transactions import read_transaction

    made = read_transaction(data)
    fields = {
        "id": made.id,
        "chain_id": made.chain_id,
        "kind": made.kind.name.lower(),
        "sender": made.sender,
        "nonce": made.nonce,
        "body": asdict(made.body),
        "seats": [seal.seat for seal in made.seals],
        "bytes": made.data,
    }
    return json.dumps(fields, default=lambda value: "0x" + value.hex(), indent=2)


def _octets(digits: str, length: int) -> bytes:
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if len(data) != length:
        raise typer.BadParameter(f"{digits!r} is not {2 * length} hex digits")
    return data


def _parameter(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.removeprefix("-").isdecimal():
        raise typer.BadParameter(f"{text!r} is not NAME=INTEGER")
    return name, int(number)


def _bytes(path: Path) -> bytes:
    from salus_chain.errors import ConfigError

    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
