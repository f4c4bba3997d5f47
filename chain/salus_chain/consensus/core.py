"""QBFT: how validators make a block final, as a pure state machine `step(state, event) -> (state, effects)`.

Source: H. Moniz, "The Istanbul BFT Consensus Algorithm", arXiv 2002.03613 (algorithms 1 to 4), with the timer rule
of M. Castro and B. Liskov, "Practical Byzantine Fault Tolerance", OSDI 1999 (section 4.5.2).

    PROPOSAL      proposer → all    a block for this height and round          algorithm 2, PRE-PREPARE
    PREPARE       all → all         a valid, justified proposal was seen       algorithm 2, line 4
    COMMIT        all → all         a quorum of PREPAREs was seen              algorithm 2, line 9
    ROUND-CHANGE  all → all         the round failed; what I had prepared      algorithm 3
    DECIDED       anyone → one      a final block with its certificate, for a node that is behind
    GET           one → anyone      asks for the DECIDED of a height, or for the body of a prepared block
    TX            anyone → all      the mempools' own; consensus only hears that there is `Work`

Rules.
 1. Quorum is ceil(2n/3), f < n/3: two quorums share an honest seat. The proposer of (height, round) is seat
    (height + round) mod n.
 2. Round 0 takes any valid block. A PROPOSAL of a later round carries a quorum of ROUND-CHANGEs for that round, and
    repeats the block that any of them prepared last, with the quorum of PREPAREs that proves it (algorithm 4).
 3. A seat PREPAREs one justified, valid proposal a round. With a quorum of PREPAREs it locks the block and COMMITs;
    with a quorum of COMMITs of one round, which are the certificate, the block is final (algorithm 2, line 12).
 4. A seat votes once per (type, height, round), never for an earlier round, and keeps its lock to the height's end:
    the shell has votes and locks on disk before they are sent, and gives them back by `Restored`.
 5. A round's timer starts when there is work, at a proposal, and after round 0 only once a quorum has come to this
    round or further (Castro and Liskov): a chain that lacks a quorum stays in its round and goes on at once when one
    is back. It doubles with the round, up to a cap, and starts afresh with every height.
 6. f+1 seats in later rounds, one of which is honest, draw a seat along (algorithm 3, line 5); a justified PROPOSAL of
    a later round does too.
 7. Nothing is lost by losing a message: on every tick, and to every peer that connects, a seat sends its current votes
    again and says by a GET where it stands. A final block needs no vote of this seat: DECIDED alone brings it on.
 8. Two different votes of one seat in one slot are evidence.

The shell runs effects in order. It answers `Build` with `Propose` and `Check` with `Checked`, hands a `Vote` back as
`Received`, after `Decide` says `Started`, and turns `Timer` into `Timeout`. An observer has no seat, and only listens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from salus_chain.consensus.messages import (
    NOTHING_PREPARED,
    Council,
    Decided,
    Message,
    Prepared,
    Type,
    is_decided,
    is_signed,
    is_valid,
)
from salus_chain.evolve import evolve
from salus_chain.rules.blocks import NEVER, Block, Certificate
from salus_chain.rules.transactions import Seal

SERVED_BLOCKS: Final = 64  # in answer to one GET, at most

Votes: TypeAlias = Mapping[tuple[Type, int], Message]  # by type and seat: the one of the latest round


@dataclass(frozen=True, slots=True)
class Timing:
    """How long round 0 may take, and the most that any round may."""

    first_ms: int = 400
    most_ms: int = 6_400

    def of(self, round_: int) -> int:
        return min(self.first_ms << min(round_, 32), self.most_ms)


@dataclass(frozen=True)  # no slots: `evolve`
class State:
    """One node at one height. Everything in it is bounded by the number of seats."""

    key: bytes
    council: Council
    later: Council  # of height + 1
    height: int  # the one being decided
    timing: Timing = Timing()
    round: int = 0
    proposal: Message | None = None  # accepted in this round
    checked: bytes = b""  # the digest of a proposal that was executed and found valid
    prepared: Prepared | None = None
    asked: frozenset[Type] = frozenset()  # votes of this round that the shell was asked for
    votes: Votes = field(default_factory=dict)
    bodies: Mapping[bytes, Block] = field(default_factory=dict)  # of blocks that others prepared
    ahead: Votes = field(default_factory=dict)  # votes for height + 1
    timer: int = NEVER  # the round whose timer runs
    stale: bool = False  # a tick has passed in this round
    fetched: int = -SERVED_BLOCKS  # the height at which final blocks were asked for last
    decided: bool = False

    @property
    def seat(self) -> int | None:
        """Where this node sits at this height; None for an observer."""
        return self.council.keys.index(self.key) if self.key in self.council.keys else None

    @property
    def is_proposer(self) -> bool:
        return self.council.proposer(self.height, self.round) == self.seat

    @property
    def other_proposer(self) -> bytes | None:
        """The key of this round's proposer; None when that is this node."""
        return None if self.is_proposer else self.council.keys[self.council.proposer(self.height, self.round)]


@dataclass(frozen=True, slots=True)
class Work:
    """The shell has something that belongs into a block of this height."""


@dataclass(frozen=True, slots=True)
class Propose:
    """The block that `Build` asked for."""

    round: int
    block: Block


@dataclass(frozen=True, slots=True)
class Received:
    """A message came in, from a peer or from this seat itself."""

    message: Message


@dataclass(frozen=True, slots=True)
class ReceivedDecided:
    """A peer says that a block is final."""

    decided: Decided


@dataclass(frozen=True, slots=True)
class ReceivedBody:
    """A peer sends the body of a prepared block."""

    block: Block


@dataclass(frozen=True, slots=True)
class Asked:
    """A peer's GET: for the DECIDED of a height, or for the body of `digest` at this height."""

    peer: bytes
    height: int
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Checked:
    """The block of this digest was executed on the current state and is valid."""

    digest: bytes


@dataclass(frozen=True, slots=True)
class Started:
    """The shell applied the final block: the next height begins. `later` are the validators of the one after."""

    height: int
    validators: tuple[bytes, ...]
    later: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What the log says this seat signed at this height before it stopped, and its lock."""

    messages: tuple[Message, ...]
    prepared: Prepared | None


@dataclass(frozen=True, slots=True)
class Connected:
    """A peer can be reached (again)."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class Timeout:
    """The timer of a round has run out."""

    height: int
    round: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Some time has passed."""


Event: TypeAlias = (
    Work | Propose | Received | ReceivedDecided | ReceivedBody | Asked | Checked | Started | Restored | Connected
    | Timeout | Tick
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Build:
    """Make a block on the current state for this round; say `Propose`, or nothing when there is nothing to do."""

    round: int


@dataclass(frozen=True, slots=True)
class Vote:
    """Sign this unless its slot is on disk; make it and its lock durable, send it to all, hand it back."""

    type: Type
    height: int
    round: int
    digest: bytes
    prepared: int = NEVER
    block: Block | None = None
    certificate: tuple[Seal, ...] = ()
    changes: tuple[Message, ...] = ()
    lock: Prepared | None = None  # of a COMMIT: what it locks


@dataclass(frozen=True, slots=True)
class Send:
    """Send again what is durable already; to one peer, or to all when `peer` is None."""

    peer: bytes | None
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class SendBody:
    """Send a prepared block's body to a peer."""

    peer: bytes
    block: Block


@dataclass(frozen=True, slots=True)
class Check:
    """Execute this block on the current state; say `Checked` when it is valid and, if fresh, in time."""

    block: Block
    fresh: bool


@dataclass(frozen=True, slots=True)
class Decide:
    """The block is final: store it, apply it, then say `Started`."""

    decided: Decided


@dataclass(frozen=True, slots=True)
class Serve:
    """Send the stored DECIDED of a height, and of heights after it, to a peer."""

    peer: bytes
    height: int


@dataclass(frozen=True, slots=True)
class Get:
    """Ask a peer, or all when it is None, for the DECIDED of a height, or for a body by its digest."""

    peer: bytes | None
    height: int
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class Timer:
    """Say `Timeout` after this long; it replaces any timer before."""

    height: int
    round: int
    after_ms: int


@dataclass(frozen=True, slots=True)
class Accuse:
    """One seat signed two votes for one slot: evidence against it."""

    key: bytes
    first: Message
    second: Message


Effect: TypeAlias = Build | Vote | Send | SendBody | Check | Decide | Serve | Get | Timer | Accuse
Effects: TypeAlias = tuple[Effect, ...]
Step: TypeAlias = tuple[State, Effects]
NOTHING: Final[Effects] = ()


def step(state: State, event: Event) -> Step:
    """What an event does to this node, and what its shell must do."""
    match event:
        case Work():
            return _work(state)
        case Propose(round_, block):
            return _propose(state, round_, block)
        case Received(message):
            return _receive(state, message)
        case ReceivedDecided(decided):
            return _receive_decided(state, decided)
        case ReceivedBody(block):
            return _receive_body(state, block)
        case Asked(peer, height, digest):
            return state, _answer(state, peer, height, digest)
        case Checked(digest):
            return _progress(evolve(state, checked=digest))
        case Started(height, validators, later):
            return _start(state, height, validators, later)
        case Restored(messages, prepared):
            return _restore(state, messages, prepared)
        case Connected(peer):
            return state, _again(state, peer)
        case Timeout(height, round_):
            return _time_out(state, height, round_)
        case Tick():
            return _tick(state)


def _work(state: State) -> Step:
    if state.decided:
        return state, NOTHING
    if state.round > 0:
        return _propose_later(state)
    state, effects = _run_timer(state)
    if state.is_proposer and Type.PROPOSAL not in state.asked:
        return state, (*effects, Build(0))
    return state, effects


def _propose(state: State, round_: int, block: Block) -> Step:
    stale = state.decided or round_ != state.round or block.header.height != state.height
    if stale or not state.is_proposer or Type.PROPOSAL in state.asked:
        return state, NOTHING
    changes = _changes(state)
    if round_ > 0 and (len(changes) < state.council.quorum or _last_prepared(changes) is not None):
        return state, NOTHING
    return _cast_proposal(state, block, changes, ())


def _receive(state: State, message: Message) -> Step:
    if message.height == state.height + 1:
        ahead, effects = _take(state.later, state.ahead, message)
        return (state if ahead is None else evolve(state, ahead=ahead)), effects
    if message.height > state.height:
        known = 0 <= message.seat < len(state.later.keys)
        if not known or state.height < state.fetched + SERVED_BLOCKS:  # the answer to the last one is on its way
            return state, NOTHING
        return evolve(state, fetched=state.height), (Get(state.later.keys[message.seat], state.height),)
    if message.height < state.height or state.decided:
        return state, NOTHING
    if message.type in (Type.PREPARE, Type.COMMIT) and _is_enough(state, message):
        return state, NOTHING
    votes, effects = _take(state.council, state.votes, message)
    if votes is None:
        return state, effects
    state = evolve(state, votes=votes)
    if message.seat == state.seat and message.round == state.round:
        state = evolve(state, asked=state.asked | {message.type})
    if message.type is Type.PROPOSAL:
        return _accept(state, message)
    state, effects = _change(state) if message.round > 0 else (state, NOTHING)
    state, more = _progress(state)
    return state, effects + more


def _take(council: Council, votes: Votes, message: Message) -> tuple[Votes | None, Effects]:
    """The votes with a valid new one, or None; and what two votes in one slot prove."""
    key = (message.type, message.seat)
    held = votes.get(key)
    if held is not None and held.round >= message.round:
        same = (held.digest, held.prepared) == (message.digest, message.prepared)
        if held.round > message.round or same or not is_signed(council, message):
            return None, NOTHING
        return None, (Accuse(council.keys[message.seat], held.bare, message.bare),)
    return ({**votes, key: message} if is_valid(council, message) else None), NOTHING


def _accept(state: State, proposal: Message) -> Step:
    """Take a justified proposal of this round or a later one."""
    if proposal.round < state.round:
        return state, NOTHING
    if proposal.round > state.round:
        state = _enter(state, proposal.round)
    assert proposal.block is not None
    state, timer = _run_timer(evolve(state, proposal=proposal, timer=NEVER))
    return state, (*timer, Check(proposal.block, fresh=not proposal.certificate))


def _progress(state: State) -> Step:
    """Cast the votes that are due, and decide when a quorum has committed."""
    if state.decided:
        return state, NOTHING
    effects, proposal = NOTHING, state.proposal
    if proposal is not None and proposal.block is not None and state.checked == proposal.digest:
        state, effects = _cast(state, Type.PREPARE, proposal.digest)
        if Type.COMMIT not in state.asked and _has_quorum(state, Type.PREPARE, state.round, proposal.digest):
            seals = _certificate(state, Type.PREPARE, state.round, proposal.digest)
            lock = Prepared(state.round, proposal.block, seals)
            state, commit = _cast(evolve(state, prepared=lock), Type.COMMIT, proposal.digest, lock=lock)
            effects += commit
    state, decision = _decide(state)
    return state, effects + decision


def _decide(state: State) -> Step:
    for message in state.votes.values():
        if message.type is not Type.COMMIT or not _has_quorum(state, Type.COMMIT, message.round, message.digest):
            continue
        block = _body(state, message.digest)
        if block is None:
            return state, (Get(state.council.keys[message.seat], state.height),)
        certificate = Certificate(message.round, _certificate(state, Type.COMMIT, message.round, message.digest))
        return evolve(state, decided=True), (Decide(Decided(block, certificate)),)
    return state, NOTHING


def _change(state: State) -> Step:
    """Follow f+1 seats that are further; where a quorum is in this round or further, run its timer; propose in time."""
    reached: dict[int, int] = {}  # by seat
    for (_, seat), vote in state.votes.items():
        reached[seat] = max(vote.round, reached.get(seat, 0))
    others = (round_ for seat, round_ in reached.items() if seat != state.seat)
    further = sorted((round_ for round_ in others if round_ > state.round), reverse=True)
    effects = NOTHING
    if len(further) > state.council.faults:
        state, effects = _leave(state, further[state.council.faults])
    arrived = sum(round_ >= state.round for round_ in reached.values())
    if state.round > 0 and arrived >= state.council.quorum:
        state, timer = _run_timer(state)
        effects += timer
    state, proposed = _propose_later(state)
    return state, effects + proposed


def _propose_later(state: State) -> Step:
    """The proposer's part after round 0: the block prepared last, or a new one when there is none."""
    changes = _changes(state)
    enough = not state.decided and state.round > 0 and len(changes) >= state.council.quorum
    if not enough or not state.is_proposer or Type.PROPOSAL in state.asked:
        return state, NOTHING
    last = _last_prepared(changes)
    if last is None:
        return state, (Build(state.round),)
    block = _body(state, last.digest)
    if block is None:
        locked = (change.seat for change in changes if change.prepared == last.prepared)
        holders = dict.fromkeys((*locked, *(seal.seat for seal in last.certificate)))
        return state, tuple(Get(state.council.keys[seat], state.height, last.digest) for seat in holders)
    return _cast_proposal(state, block, changes, last.certificate)


def _receive_body(state: State, block: Block) -> Step:
    wanted = {vote.digest for vote in state.votes.values() if vote.prepared != NEVER}
    if state.decided or block.digest not in wanted or block.digest in state.bodies or not block.whole:
        return state, NOTHING
    bodies = {digest: body for digest, body in state.bodies.items() if digest in wanted}
    state, effects = _propose_later(evolve(state, bodies={**bodies, block.digest: block}))
    state, more = _progress(state)
    return state, effects + more


def _receive_decided(state: State, decided: Decided) -> Step:
    if decided.block.header.height != state.height or state.decided or not is_decided(state.council, decided):
        return state, NOTHING
    return evolve(state, decided=True), (Decide(decided),)


def _answer(state: State, peer: bytes, height: int, digest: bytes) -> Effects:
    if height < state.height:
        return (Serve(peer, height),)
    block = _body(state, digest) if height == state.height and digest else None
    return (SendBody(peer, block),) if block is not None else NOTHING


def _start(state: State, height: int, validators: tuple[bytes, ...], later: tuple[bytes, ...]) -> Step:
    """A fresh height; what came early for it is received now."""
    chain_id, verify = state.council.chain_id, state.council.verify
    early = tuple(state.ahead.values()) if height == state.height + 1 else ()
    own, next_one = (Council.of(chain_id, keys, verify) for keys in (validators, later))
    state, effects = State(state.key, own, next_one, height, state.timing, fetched=state.fetched), NOTHING
    for message in sorted(early, key=lambda each: each.type):
        state, more = _receive(state, message)
        effects += more
    return state, effects


def _restore(state: State, messages: tuple[Message, ...], prepared: Prepared | None) -> Step:
    """Go on in the latest round that this seat voted in."""
    latest = max((message.round for message in messages), default=0)
    votes = {(each.type, each.seat): each for each in sorted(messages, key=lambda each: each.round)}
    asked = frozenset(each.type for each in messages if each.round == latest)
    state = evolve(state, round=latest, votes=votes, asked=asked, prepared=prepared)
    own = next((each for each in messages if each.type is Type.PROPOSAL and each.round == latest), None)
    state, effects = _accept(state, own) if own is not None else _change(state)
    if latest == 0 and messages:  # what it voted for is work
        state, timer = _run_timer(state)
        effects += timer
    state, more = _progress(state)
    return state, effects + more


def _time_out(state: State, height: int, round_: int) -> Step:
    if state.decided or (height, round_) != (state.height, state.round) or state.timer != round_:
        return state, NOTHING
    state, effects = _leave(state, round_ + 1)
    state, more = _change(state)
    return state, effects + more


def _leave(state: State, round_: int) -> Step:
    """Give up this round for a later one, and say what was prepared."""
    state = _enter(state, round_)
    lock = state.prepared
    if lock is None:
        return _cast(state, Type.ROUND_CHANGE, NOTHING_PREPARED)
    return _cast(state, Type.ROUND_CHANGE, lock.block.digest, prepared=lock.round, certificate=lock.certificate)


def _enter(state: State, round_: int) -> State:
    return evolve(state, round=round_, proposal=None, checked=b"", asked=frozenset(), timer=NEVER, stale=False)


def _run_timer(state: State) -> Step:
    if state.timer == state.round or state.seat is None:
        return state, NOTHING
    return evolve(state, timer=state.round), (Timer(state.height, state.round, state.timing.of(state.round)),)


def _cast_proposal(state: State, block: Block, changes: tuple[Message, ...], certificate: tuple[Seal, ...]) -> Step:
    bare = tuple(change.bare for change in changes) if state.round > 0 else ()
    return _cast(state, Type.PROPOSAL, block.digest, block=block, certificate=certificate, changes=bare)


def _cast(
    state: State,
    type_: Type,
    digest: bytes,
    *,
    prepared: int = NEVER,
    block: Block | None = None,
    certificate: tuple[Seal, ...] = (),
    changes: tuple[Message, ...] = (),
    lock: Prepared | None = None,
) -> Step:
    """Ask the shell for a vote of this round, once; an observer has none."""
    if state.seat is None or type_ in state.asked:
        return state, NOTHING
    vote = Vote(type_, state.height, state.round, digest, prepared, block, certificate, changes, lock)
    return evolve(state, asked=state.asked | {type_}), (vote,)


def _changes(state: State) -> tuple[Message, ...]:
    """The ROUND-CHANGEs for this very round, by seat."""
    here = (vote for vote in state.votes.values() if vote.type is Type.ROUND_CHANGE and vote.round == state.round)
    return tuple(sorted(here, key=lambda vote: vote.seat))


def _last_prepared(changes: tuple[Message, ...]) -> Message | None:
    """The ROUND-CHANGE whose block was prepared last; None when none prepared any."""
    last = max(changes, key=lambda change: change.prepared, default=None)
    return None if last is None or last.prepared == NEVER else last


def _alike(state: State, type_: Type, round_: int, digest: bytes) -> list[Message]:
    """The votes that say the same: of this type, in this round, for this block."""
    votes = state.votes.values()
    return [vote for vote in votes if vote.type is type_ and vote.round == round_ and vote.digest == digest]


def _has_quorum(state: State, type_: Type, round_: int, digest: bytes) -> bool:
    return len(_alike(state, type_, round_, digest)) >= state.council.quorum


def _certificate(state: State, type_: Type, round_: int, digest: bytes) -> tuple[Seal, ...]:
    """Exactly a quorum of signatures of votes that say the same, by seat."""
    votes = sorted(_alike(state, type_, round_, digest), key=lambda vote: vote.seat)
    return tuple(Seal(vote.seat, vote.signature) for vote in votes[: state.council.quorum])


def _is_enough(state: State, message: Message) -> bool:
    """Whether a quorum says so already: a first vote of one more seat is then not worth its verification."""
    held = state.votes.get((message.type, message.seat))
    first = held is None or held.round < message.round
    return first and _has_quorum(state, message.type, message.round, message.digest)


def _body(state: State, digest: bytes) -> Block | None:
    """A block of this height that is here, by its digest."""
    known = [
        message.block for message in state.votes.values() if message.block is not None and message.digest == digest
    ]
    if state.prepared is not None and state.prepared.block.digest == digest:
        known.append(state.prepared.block)
    return known[0] if known else state.bodies.get(digest)


def _again(state: State, peer: bytes | None) -> Effects:
    """What this seat said at this height, and where it stands. A body goes out again only when a round drags on."""
    own = tuple(vote for (_, seat), vote in sorted(state.votes.items()) if seat == state.seat)
    due = tuple(each for each in own if each.block is None or (each.round == state.round and (peer or state.stale)))
    get = Get(peer, state.height)
    return (Send(peer, due), get) if due else (get,)


def _tick(state: State) -> Step:
    """Say and ask again; a proposal that was too far ahead of the clock may pass now."""
    effects = _again(state, None)
    state, proposed = _propose_later(evolve(state, stale=True, fetched=state.height))
    effects, proposal = effects + proposed, state.proposal
    if proposal is not None and proposal.block is not None and state.checked != proposal.digest and not state.decided:
        effects += (Check(proposal.block, fresh=not proposal.certificate),)
    return state, effects
