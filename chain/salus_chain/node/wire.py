"""What validators send each other: canonical CBOR arrays, the first item saying what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from salus_chain.codec import Value, decode, encode, fields, integer, items, octets
from salus_chain.consensus.messages import Decided, Message, Prepared, Type
from salus_chain.errors import DecodeError
from salus_chain.rules.blocks import MAX_BLOCK_BYTES, NEVER, Block, Certificate
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

HELLO, VOTE, DECIDED, GET, TX, STATEMENT, BODY = range(7)
MAX_SEATS: Final = 256
MAX_FRAME_BYTES: Final = MAX_BLOCK_BYTES + (1 << 18)  # a proposal's justification on top


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of a connection: whose chain, and which seat is speaking."""

    chain_id: bytes
    seat: int


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
class Tx:
    """A transaction that a peer took into its mempool."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Stated:
    """A validator's signature on what a quorum may state, here a settlement it recomputed."""

    statement: Statement
    seat: int
    signature: bytes


Frame: TypeAlias = Hello | Message | Decided | Get | Body | Tx | Stated


def encode_frame(frame: Frame) -> bytes:
    return encode(_value(frame))


def _value(frame: Frame) -> Value:
    match frame:
        case Hello(chain_id, seat):
            return (HELLO, chain_id, seat)
        case Message():
            return (VOTE, *_vote_value(frame))
        case Decided(block, certificate):
            return (DECIDED, block.value(), certificate.value())
        case Get(height, round_, digest):
            return (GET, height, round_, digest)
        case Body(block):
            return (BODY, block.value())
        case Tx(data):
            return (TX, data)
        case Stated(statement, seat, signature):
            return (STATEMENT, int(KINDS[type(statement)]), statement.value(), seat, signature)


def decode_frame(data: bytes) -> Frame:
    """Raises DecodeError."""
    value = decode(data, MAX_FRAME_BYTES)
    tag = value[0] if isinstance(value, tuple) and value else None
    if tag == HELLO:
        _, chain_id, seat = fields(value, 3, "hello")
        return Hello(octets(chain_id, "chain_id", 32), integer(seat, "seat"))
    if tag == VOTE and isinstance(value, tuple):
        return _vote(value[1:])
    if tag == DECIDED:
        _, block, certificate = fields(value, 3, "decided")
        return Decided(Block.read(block), Certificate.read(certificate))
    if tag == GET:
        _, height, round_, digest = fields(value, 4, "get")
        return Get(integer(height, "height"), integer(round_, "round"), _maybe_digest(digest))
    if tag == BODY:
        return Body(Block.read(fields(value, 2, "body")[1]))
    if tag == TX:
        return Tx(octets(fields(value, 2, "tx")[1], "transaction"))
    if tag == STATEMENT:
        return _stated(value)
    raise DecodeError("peer message: of no known kind")


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
    return encode((lock.round, lock.block.value(), tuple(seal.value() for seal in lock.certificate)))


def decode_lock(data: bytes) -> Prepared:
    """Raises DecodeError."""
    round_, block, seals = fields(decode(data, MAX_FRAME_BYTES), 3, "lock")
    return Prepared(integer(round_, "round"), Block.read(block), items(seals, Seal.read, "certificate", MAX_SEATS))


def _stated(value: Value) -> Stated:
    _, number, body, seat, signature = fields(value, 5, "statement")
    kind = next((each for each in QUORUM_KINDS if each == number), None)
    if kind is None:
        raise DecodeError(f"statement: kind {number!r} is not a quorum's")
    statement = BODIES[kind].read(body)
    assert isinstance(statement, Settle | ApproveModel | ApproveRelease)
    return Stated(statement, integer(seat, "seat"), octets(signature, "signature", 64))
