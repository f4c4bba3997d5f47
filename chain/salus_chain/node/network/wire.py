"""What validators send each other: canonical CBOR arrays, the first item saying what follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from salus_chain.codec import Value, decode, encode_trusted, fields, integer, items, octets, text
from salus_chain.consensus.messages import Decided, Message, Prepared, Type
from salus_chain.errors import DecodeError
from salus_chain.keys import KEY_BYTES
from salus_chain.rules.blocks import MAX_BLOCK_BYTES, MAX_BLOCK_TRANSACTIONS, NEVER, Block, Certificate
from salus_chain.rules.transactions import (
    BODIES,
    KINDS,
    QUORUM_KINDS,
    ApproveModel,
    ApproveRelease,
    Seal,
    Settle,
    Statement,
)

HELLO, BYE, VOTE, DECIDED, GET, BODY, TXS, STATEMENT = range(8)
PROTOCOL: Final = "salus/peer/1"
MAX_FRAME_ITEMS: Final = 16_384  # a block has 2,000 transactions, a justification of 256 seats some 11 items each
MAX_REASON_BYTES: Final = 256
MAX_SEATS: Final = 256
MAX_FRAME_BYTES: Final = MAX_BLOCK_BYTES + (1 << 18)  # a proposal's justification on top


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of a connection, from both ends: what it speaks, whose chain, and who it is."""

    protocol: str
    chain_id: bytes
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Bye:
    """The last message of a connection: why it ends, for the other side's operator."""

    reason: str


@dataclass(frozen=True, slots=True)
class Get:
    """Where the sender stands; asks for the DECIDED of that height, or for the body of `digest`."""

    height: int
    round: int
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Body:
    """A prepared block's body, for the proposer that must repeat it."""

    block: Block


@dataclass(frozen=True, slots=True)
class Txs:
    """Transactions that a peer took into its mempool."""

    transactions: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Stated:
    """A validator's signature on what a quorum may state, here a settlement it recomputed."""

    statement: Statement
    seat: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Recorded:
    """A vote in the very bytes that the vote log holds. Is only sent; what comes in is a Message."""

    data: bytes


Frame: TypeAlias = Hello | Bye | Message | Decided | Get | Body | Txs | Stated
Sent: TypeAlias = Frame | Recorded


def encode_frame(frame: Sent) -> bytes:
    return frame.data if isinstance(frame, Recorded) else encode_trusted(_value(frame))


def _value(frame: Frame) -> Value:
    match frame:
        case Hello(protocol, chain_id, public_key):
            return (HELLO, protocol.encode(), chain_id, public_key)
        case Bye(reason):
            return (BYE, reason.encode()[:MAX_REASON_BYTES])
        case Message():
            return (VOTE, *_vote_value(frame))
        case Decided(block, certificate):
            return (DECIDED, block.value(), certificate.value())
        case Get(height, round_, digest):
            return (GET, height, round_, digest)
        case Body(block):
            return (BODY, block.value())
        case Txs(transactions):
            return (TXS, transactions)
        case Stated(statement, seat, signature):
            return (STATEMENT, int(KINDS[type(statement)]), statement.value(), seat, signature)


def decode_frame(data: bytes) -> Frame:
    """Raises DecodeError."""
    value = decode(data, MAX_FRAME_BYTES, MAX_FRAME_ITEMS)
    tag = value[0] if isinstance(value, tuple) and value else None
    read = READERS.get(tag) if isinstance(tag, int) else None
    if read is None or not isinstance(value, tuple):
        raise DecodeError("peer message: of no known kind")
    return read(value[1:])


def _hello(value: Value) -> Hello:
    protocol, chain_id, public_key = fields(value, 3, "hello")
    return Hello(
        text(protocol, "protocol", 64), octets(chain_id, "chain_id", 32), octets(public_key, "public_key", KEY_BYTES)
    )


def _bye(value: Value) -> Bye:
    reason = octets(fields(value, 1, "bye")[0], "reason")
    return Bye(reason[:MAX_REASON_BYTES].decode(errors="replace"))


def _get(value: Value) -> Get:
    height, round_, digest = fields(value, 3, "get")
    return Get(integer(height, "height"), integer(round_, "round"), _maybe_digest(digest))


def _decided(value: Value) -> Decided:
    block, certificate = fields(value, 2, "decided")
    return Decided(Block.read(block), Certificate.read(certificate))


def _body(value: Value) -> Body:
    return Body(Block.read(fields(value, 1, "body")[0]))


def _txs(value: Value) -> Txs:
    rows = fields(value, 1, "transactions")[0]
    return Txs(items(rows, lambda tx: octets(tx, "transaction"), "transactions", MAX_BLOCK_TRANSACTIONS))


def _vote_value(message: Message) -> tuple[Value, ...]:
    return (
        int(message.type),
        message.height,
        message.round,
        message.digest,
        message.seat,
        message.signature,
        message.prepared,
        (message.block.value(),) if message.block else (),
        tuple(seal.value() for seal in message.certificate),
        tuple(_vote_value(change) for change in message.changes),
    )


def _vote(value: Value, nested: bool = False) -> Message:
    f = fields(value, 10, "vote")
    try:
        type_ = Type(integer(f[0], "type"))
    except ValueError as error:
        raise DecodeError(f"vote: {error}") from None
    if nested and (f[7] != () or f[9] != ()):
        raise DecodeError("vote: a vote inside another carries neither block nor votes")
    return Message(
        type_,
        integer(f[1], "height"),
        integer(f[2], "round"),
        octets(f[3], "digest", 32),
        integer(f[4], "seat"),
        octets(f[5], "signature", 64),
        integer(f[6], "prepared", low=NEVER),
        Block.read(fields(f[7], 1, "block")[0]) if f[7] != () else None,
        items(f[8], Seal.read, "certificate", MAX_SEATS),
        items(f[9], lambda change: _vote(change, nested=True), "changes", MAX_SEATS),
    )


def _maybe_digest(value: Value) -> bytes:
    return octets(value, "digest", 32) if value != b"" else b""


def encode_lock(lock: Prepared) -> bytes:
    """A lock as the vote log keeps it."""
    return encode_trusted((lock.round, lock.block.value(), tuple(seal.value() for seal in lock.certificate)))


def decode_lock(data: bytes) -> Prepared:
    """Raises DecodeError."""
    round_, block, seals = fields(decode(data, MAX_FRAME_BYTES), 3, "lock")
    return Prepared(integer(round_, "round"), Block.read(block), items(seals, Seal.read, "certificate", MAX_SEATS))


def _stated(value: Value) -> Stated:
    number, body, seat, signature = fields(value, 4, "statement")
    kind = next((each for each in QUORUM_KINDS if each == number), None)
    if kind is None:
        raise DecodeError(f"statement: kind {number!r} is not a quorum's")
    statement = BODIES[kind].read(body)
    assert isinstance(statement, Settle | ApproveModel | ApproveRelease)
    return Stated(statement, integer(seat, "seat"), octets(signature, "signature", 64))


READERS: Final[dict[int, Callable[[Value], Frame]]] = {
    HELLO: _hello,
    BYE: _bye,
    VOTE: _vote,
    DECIDED: _decided,
    GET: _get,
    BODY: _body,
    TXS: _txs,
    STATEMENT: _stated,
}
