"""What validators send each other: canonical CBOR arrays, the first item saying what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from salus_chain.codec import Value, decode, encode, fields, integer, octets, text
from salus_chain.consensus.core import Decided, Message, Type
from salus_chain.errors import DecodeError
from salus_chain.keys import KEY_BYTES
from salus_chain.rules.blocks import MAX_BLOCK_BYTES, Block, Certificate
from salus_chain.rules.transactions import (
    BODIES,
    KINDS,
    QUORUM_KINDS,
    ApproveModel,
    ApproveRelease,
    Settle,
    Statement,
)

HELLO, VOTE, DECIDED, GET, TX, STATEMENT, BYE = range(7)
PROTOCOL: Final = "salus/peer/1"
MAX_REASON_BYTES: Final = 256
MAX_FRAME_BYTES: Final = MAX_BLOCK_BYTES + (1 << 16)


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
    """A question for the DECIDED of a height."""

    height: int


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


Frame: TypeAlias = Hello | Bye | Message | Decided | Get | Tx | Stated


def encode_frame(frame: Frame) -> bytes:
    return encode(_value(frame))


def _value(frame: Frame) -> Value:
    match frame:
        case Hello(protocol, chain_id, public_key):
            return (HELLO, protocol.encode(), chain_id, public_key)
        case Bye(reason):
            return (BYE, reason.encode()[:MAX_REASON_BYTES])
        case Message(type_, height, round_, digest, seat, signature, block):
            body = (block.value(),) if block else ()
            return (VOTE, int(type_), height, round_, digest, seat, signature, body)
        case Decided(block, certificate):
            return (DECIDED, block.value(), certificate.value())
        case Get(height):
            return (GET, height)
        case Tx(data):
            return (TX, data)
        case Stated(statement, seat, signature):
            return (STATEMENT, int(KINDS[type(statement)]), statement.value(), seat, signature)


def decode_frame(data: bytes) -> Frame:
    """Raises DecodeError."""
    value = decode(data, MAX_FRAME_BYTES)
    tag = value[0] if isinstance(value, tuple) and value else None
    if tag == HELLO:
        return _hello(value)
    if tag == BYE:
        reason = octets(fields(value, 2, "bye")[1], "reason")
        return Bye(reason[:MAX_REASON_BYTES].decode(errors="replace"))
    if tag == VOTE:
        return _vote(value)
    if tag == DECIDED:
        _, block, certificate = fields(value, 3, "decided")
        return Decided(Block.read(block), Certificate.read(certificate))
    if tag == GET:
        return Get(integer(fields(value, 2, "get")[1], "height"))
    if tag == TX:
        return Tx(octets(fields(value, 2, "tx")[1], "transaction"))
    if tag == STATEMENT:
        return _stated(value)
    raise DecodeError("peer message: of no known kind")


def _hello(value: Value) -> Hello:
    _, protocol, chain_id, public_key = fields(value, 4, "hello")
    return Hello(
        text(protocol, "protocol", 64), octets(chain_id, "chain_id", 32), octets(public_key, "public_key", KEY_BYTES)
    )


def _vote(value: Value) -> Message:
    f = fields(value, 8, "vote")
    try:
        type_ = Type(integer(f[1], "type"))
    except ValueError as error:
        raise DecodeError(f"vote: {error}") from None
    block = Block.read(fields(f[7], 1, "block")[0]) if f[7] != () else None
    return Message(
        type_,
        integer(f[2], "height"),
        integer(f[3], "round"),
        octets(f[4], "digest", 32),
        integer(f[5], "seat"),
        octets(f[6], "signature", 64),
        block,
    )


def _stated(value: Value) -> Stated:
    _, number, body, seat, signature = fields(value, 5, "statement")
    kind = next((each for each in QUORUM_KINDS if each == number), None)
    if kind is None:
        raise DecodeError(f"statement: kind {number!r} is not a quorum's")
    statement = BODIES[kind].read(body)
    assert isinstance(statement, Settle | ApproveModel | ApproveRelease)
    return Stated(statement, integer(seat, "seat"), octets(signature, "signature", 64))
