"""QBFT (Moniz, arXiv 2002.03613), the happy path: how validators make a block final. Pure.

    PROPOSAL      proposer → all    the block of this height and round                  (paper: PRE-PREPARE)
    PREPARE       all → all         a valid proposal with this digest was seen
    COMMIT        all → all         a quorum of PREPAREs for this digest was seen
    ROUND-CHANGE  reserved          a round's timer ran out                             (section 4, to come)
    DECIDED       anyone → one      a final block with its certificate, for a node that is behind
    GET           one → anyone      asks for the DECIDED of a height

Rules. The proposer of (height, round) is seat (height + round) mod n. A quorum is ceil(2n/3). A block is
final with a quorum of COMMITs of one round, which are its certificate. A seat votes once per (type, height,
round): the shell keeps every vote on disk before it is sent, and sends the stored bytes again when asked for
the same slot. Nothing is lost by losing a message: on every tick, and to every peer that connects, a seat
sends its current votes again and a GET of its height; so does a vote from further ahead than the next height.

The shell runs effects in order. It answers `Check` with `Checked`, hands a `Vote` back as `Received` once it
is durable and sent, and after `Decide` starts the next height with `Started`. Round changes will add timers
as ticks; `round` stands in every signature, slot and certificate already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, TypeAlias

from salus_chain.genesis import quorum, set_hash
from salus_chain.keys import verify
from salus_chain.rules.blocks import VOTE_DOMAIN, Block, Certificate, vote_bytes
from salus_chain.rules.transactions import Seal


class Type(IntEnum):
    """The types of signed messages, as their signatures cover them."""

    PROPOSAL = 1
    PREPARE = 2
    COMMIT = 3
    ROUND_CHANGE = 4


@dataclass(frozen=True, slots=True)
class Message:
    """A signed vote. A PROPOSAL carries its block; the others only its digest."""

    type: Type
    height: int
    round: int
    digest: bytes
    seat: int
    signature: bytes
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class Decided:
    """A final block and what proves it."""

    block: Block
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class State:
    """One validator at one height.

    Votes are kept by (type, seat), of this round only; `ahead` is bounded by them.
    """

    chain_id: bytes
    validators: tuple[bytes, ...]
    seat: int
    height: int  # the one being decided
    round: int = 0
    proposal: Block | None = None
    checked: bytes = b""  # the digest of the proposal that was executed and found valid
    votes: Mapping[tuple[Type, int], Message] = field(default_factory=dict)
    asked: frozenset[Type] = frozenset()  # votes of ours that the shell was asked for
    ahead: Mapping[tuple[Type, int], Message] = field(default_factory=dict)  # votes for height + 1
    decided: bool = False

    @property
    def own(self) -> tuple[Message, ...]:
        """What this seat sent at this height."""
        return tuple(self.votes[type_, self.seat] for type_ in Type if (type_, self.seat) in self.votes)


@dataclass(frozen=True, slots=True)
class Propose:
    """The shell has a block for this height, of whose proposer it is the seat."""

    block: Block


@dataclass(frozen=True, slots=True)
class Received:
    """A message came in, from a peer or from this seat itself once durable."""

    message: Message


@dataclass(frozen=True, slots=True)
class ReceivedDecided:
    """A peer says that a block is final."""

    decided: Decided


@dataclass(frozen=True, slots=True)
class Asked:
    """A peer wants the DECIDED of a height."""

    seat: int
    height: int


@dataclass(frozen=True, slots=True)
class Checked:
    """The block of this digest was executed on the current state and is valid."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class Started:
    """The shell applied the last block: the next height begins, under these validators."""

    height: int
    validators: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Connected:
    """A peer can be reached (again)."""

    seat: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Some time has passed."""


Event: TypeAlias = Propose | Received | ReceivedDecided | Asked | Checked | Started | Connected | Tick


@dataclass(frozen=True, slots=True)
class Vote:
    """Sign this (or take the stored bytes of the slot), make it durable, send it to all, hand it back."""

    type: Type
    height: int
    round: int
    digest: bytes
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """Send again what is durable already; to one seat, or to all others when `seat` is None."""

    seat: int | None
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """Execute this block on the current state; say `Checked` when it is valid and, if fresh, in time."""

    block: Block


@dataclass(frozen=True, slots=True)
class Decide:
    """The block is final: store it, apply it, then say `Started`."""

    decided: Decided


@dataclass(frozen=True, slots=True)
class Serve:
    """Send the stored DECIDED of a height to a seat."""

    seat: int
    height: int


@dataclass(frozen=True, slots=True)
class Get:
    """Ask a seat, or all others when it is None, for the DECIDED of a height."""

    seat: int | None
    height: int


Effect: TypeAlias = Vote | Send | Check | Decide | Serve | Get
Effects: TypeAlias = tuple[Effect, ...]
Step: TypeAlias = tuple[State, Effects]
NOTHING: Final[Effects] = ()


def proposer(validators: int, height: int, round_: int) -> int:
    """The seat that proposes."""
    return (height + round_) % validators


def step(state: State, event: Event) -> Step:
    """What an event does to this validator, and what its shell must do."""
    match event:
        case Propose(block):
            return _propose(state, block)
        case Received(message):
            return _receive(state, message)
        case ReceivedDecided(decided):
            return _receive_decided(state, decided)
        case Asked(seat, height):
            return state, (Serve(seat, height),) if height < state.height else NOTHING
        case Checked(digest):
            return _progress(replace(state, checked=digest))
        case Started(height, validators):
            return _start(state, height, validators)
        case Connected(seat):
            return state, _again(state, seat)
        case Tick():
            return state, (*_again(state, None), *_check_again(state))


def check_message(chain_id: bytes, validators: tuple[bytes, ...], message: Message) -> bool:
    """Whether the seat it names signed it, and a proposal is the proposer's own and carries what it names."""
    if not 0 <= message.seat < len(validators):
        return False
    if message.type is Type.PROPOSAL:
        block, turn = message.block, proposer(len(validators), message.height, message.round)
        if block is None or block.digest != message.digest or block.header.height != message.height:
            return False
        if message.seat != turn or not block.whole:
            return False
    elif message.block is not None:
        return False
    covered = vote_bytes(chain_id, set_hash(validators), message.type, message.height, message.round, message.digest)
    return verify(validators[message.seat], message.signature, VOTE_DOMAIN, covered)


def check_decided(chain_id: bytes, validators: tuple[bytes, ...], decided: Decided) -> bool:
    """Whether exactly a quorum of these validators, sorted by seat, committed to the block."""
    header, seals = decided.block.header, decided.certificate.seals
    seats = [seal.seat for seal in seals]
    if len(seats) != quorum(len(validators)) or seats != sorted(set(seats)) or seats[-1] >= len(validators):
        return False
    if not decided.block.whole:
        return False
    covered = vote_bytes(
        chain_id,
        set_hash(validators),
        Type.COMMIT,
        header.height,
        decided.certificate.round,
        header.digest,
    )
    return all(verify(validators[seal.seat], seal.signature, VOTE_DOMAIN, covered) for seal in seals)


def _propose(state: State, block: Block) -> Step:
    turn = proposer(len(state.validators), state.height, state.round) == state.seat
    if not turn or Type.PROPOSAL in state.asked or block.header.height != state.height:
        return state, NOTHING
    asked = state.asked | {Type.PROPOSAL}
    vote = Vote(Type.PROPOSAL, state.height, state.round, block.digest, block)
    return replace(state, asked=asked), (vote,)


def _receive(state: State, message: Message) -> Step:
    key = (message.type, message.seat)
    if message.height < state.height:
        return state, NOTHING
    held = state.votes if message.height == state.height else state.ahead
    if key in held or not check_message(state.chain_id, state.validators, message):
        return state, NOTHING
    if message.height == state.height + 1:
        return replace(state, ahead={**state.ahead, key: message}), NOTHING
    if message.height > state.height:
        return state, (Get(message.seat, state.height),)
    if message.round != state.round:
        return state, NOTHING
    asked = state.asked | {message.type} if message.seat == state.seat else state.asked
    after = replace(state, votes={**state.votes, key: message}, asked=asked)
    if message.block is None:
        return _progress(after)
    return replace(after, proposal=message.block), (Check(message.block),)


def _progress(state: State) -> Step:
    """Cast the votes that are due, and decide when a quorum has committed."""
    block = state.proposal
    if state.decided or block is None:
        return state, NOTHING
    digest, wanted = block.digest, quorum(len(state.validators))
    due = {Type.PREPARE} if state.checked == digest else set()
    if due and _count(state, Type.PREPARE, digest) >= wanted:
        due.add(Type.COMMIT)
    votes = tuple(Vote(type_, state.height, state.round, digest) for type_ in sorted(due - state.asked))
    state = replace(state, asked=state.asked | due)
    if _count(state, Type.COMMIT, digest) < wanted:
        return state, votes
    return replace(state, decided=True), (*votes, Decide(Decided(block, _certificate(state, digest))))


def _count(state: State, type_: Type, digest: bytes) -> int:
    return sum(vote.type is type_ and vote.digest == digest for vote in state.votes.values())


def _certificate(state: State, digest: bytes) -> Certificate:
    commits = [vote for vote in state.votes.values() if vote.type is Type.COMMIT and vote.digest == digest]
    seals = sorted((vote.seat, vote.signature) for vote in commits)[: quorum(len(state.validators))]
    return Certificate(state.round, tuple(Seal(seat, signature) for seat, signature in seals))


def _receive_decided(state: State, decided: Decided) -> Step:
    if decided.block.header.height != state.height or state.decided:
        return state, NOTHING
    if not check_decided(state.chain_id, state.validators, decided):
        return state, NOTHING
    return replace(state, decided=True), (Decide(decided),)


def _start(state: State, height: int, validators: tuple[bytes, ...]) -> Step:
    """A fresh height; what came early for it is received now."""
    early = state.ahead.values() if height == state.height + 1 else ()
    after, effects = State(state.chain_id, validators, state.seat, height), NOTHING
    for message in early:
        after, more = _receive(after, message)
        effects += more
    return after, effects


def _again(state: State, seat: int | None) -> Effects:
    """What this seat said at this height, and the question whether the height is decided elsewhere."""
    get = Get(seat, state.height)
    return (Send(seat, state.own), get) if state.own else (get,)


def _check_again(state: State) -> Effects:
    """A proposal that was too far ahead of the clock, or came before its parent's state, may pass later."""
    block = state.proposal
    return (Check(block),) if block is not None and state.checked != block.digest else NOTHING
