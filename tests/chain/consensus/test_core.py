"""The pure consensus on an in-memory network: every node's shell is a dozen lines, time is a counter."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus_chain.consensus.core import (
    Asked,
    Check,
    Checked,
    Connected,
    Decide,
    Decided,
    Effect,
    Event,
    Get,
    Message,
    Propose,
    Received,
    ReceivedDecided,
    Send,
    Serve,
    Started,
    State,
    Tick,
    Type,
    Vote,
    check_decided,
    check_message,
    proposer,
    step,
)
from salus_chain.genesis import quorum, set_hash
from salus_chain.rules.blocks import VOTE_DOMAIN, Block, Certificate, Header, transactions_root, vote_bytes
from salus_chain.rules.transactions import Seal
from tests.chain.federation import signer

CHAIN = bytes([3]) * 32


def keys(n: int) -> tuple[bytes, ...]:
    return tuple(signer(1 + seat).public_key for seat in range(n))


def block(n: int, height: int, mark: int = 0) -> Block:
    hashes = set_hash(keys(n)), set_hash(keys(n))
    return Block(Header(CHAIN, height, height + mark, bytes(32), transactions_root(()), bytes(32), *hashes), ())


def signed(n: int, type_: Type, height: int, digest: bytes, seat: int, body: Block | None = None) -> Message:
    message = vote_bytes(CHAIN, set_hash(keys(n)), type_, height, 0, digest)
    return Message(type_, height, 0, digest, seat, signer(1 + seat).sign(VOTE_DOMAIN, message), body)


@dataclass
class Network:
    """n nodes; `wires` holds (to, event) in flight."""

    n: int
    states: list[State] = field(default_factory=list)
    wires: deque[tuple[int, Event]] = field(default_factory=deque)
    chains: list[list[Decided]] = field(default_factory=list)
    down: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.states = [State(CHAIN, keys(self.n), seat, 1) for seat in range(self.n)]
        self.chains = [[] for _ in range(self.n)]

    def event(self, seat: int, event: Event) -> None:
        if seat in self.down:
            return
        self.states[seat], effects = step(self.states[seat], event)
        for effect in effects:
            self.run(seat, effect)

    def others(self, seat: int, to: int | None) -> list[int]:
        return [other for other in range(self.n) if other != seat and to in (None, other)]

    def run(self, seat: int, effect: Effect) -> None:
        match effect:
            case Vote(type_, height, _, digest, body):
                message = signed(self.n, type_, height, digest, seat, body)
                self.wires.extend((to, Received(message)) for to in self.others(seat, None))
                self.event(seat, Received(message))
            case Send(to, messages):
                self.wires.extend((each, Received(m)) for each in self.others(seat, to) for m in messages)
            case Check(body):
                self.event(seat, Checked(body.digest))
            case Decide(decided):
                self.chains[seat].append(decided)
                self.event(seat, Started(decided.block.header.height + 1, keys(self.n)))
            case Serve(to, height):
                self.wires.append((to, ReceivedDecided(self.chains[seat][height - 1])))
            case Get(to, height):
                self.wires.extend((each, Asked(seat, height)) for each in self.others(seat, to))

    def deliver(self, rng: Random | None = None, loss: float = 0.0) -> None:
        """All that is in flight and follows from it, in random order where there is an rng."""
        while self.wires:
            if rng is not None:
                self.wires.rotate(rng.randrange(len(self.wires)))
            to, event = self.wires.popleft()
            if rng is None or rng.random() >= loss:
                self.event(to, event)

    def propose(self, height: int, mark: int = 0) -> None:
        seat = proposer(self.n, height, 0)
        self.event(seat, Propose(block(self.n, height, mark)))

    def agreed(self) -> int:
        """The lowest height; every pair of chains must be prefixes of one another."""
        digests = [[each.block.digest for each in chain] for chain in self.chains]
        longest = max(digests, key=len)
        assert all(chain == longest[: len(chain)] for chain in digests)
        return min(map(len, digests))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 10])
def test_blocks_become_final_with_a_certificate_of_exactly_a_quorum(n: int) -> None:
    network = Network(n)
    for height in range(1, 6):
        network.propose(height)
        network.deliver()
    assert network.agreed() == 5
    for chain in network.chains:
        for decided in chain:
            assert len(decided.certificate.seals) == quorum(n)
            assert check_decided(CHAIN, keys(n), decided)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 32), st.floats(0, 0.6))
def test_lost_and_reordered_messages_stall_nothing_for_good(seed: int, loss: float) -> None:
    network, rng = Network(4), Random(seed)
    for height in range(1, 4):
        network.propose(height)
        for _ in range(200):
            network.deliver(rng, loss)
            if all(len(chain) >= height for chain in network.chains):
                break
            for seat in range(4):
                network.event(seat, Tick())
        assert network.agreed() == height


def test_one_of_four_may_be_down_and_catches_up_when_it_is_back() -> None:
    network = Network(4)
    network.down = {0}
    for height in range(1, 4):  # proposers 1, 2, 3
        network.propose(height)
        network.deliver()
    assert [len(chain) for chain in network.chains] == [0, 3, 3, 3]
    network.down = set()
    for _ in range(3):
        network.event(0, Connected(2))
        network.deliver()
    assert network.agreed() == 3


def test_two_of_four_down_decide_nothing() -> None:
    network = Network(4)
    network.down = {0, 3}
    network.propose(1)
    network.deliver()
    for _ in range(3):
        network.event(1, Tick())
        network.deliver()
    assert network.agreed() == 0 and not network.chains[1]


def test_a_proposal_out_of_turn_is_refused() -> None:
    body = block(4, 1)
    state = State(CHAIN, keys(4), 0, 1)
    assert step(state, Propose(body)) == (state, ())
    for seat in (0, 2, 3):
        assert not check_message(CHAIN, keys(4), signed(4, Type.PROPOSAL, 1, body.digest, seat, body))
    assert check_message(CHAIN, keys(4), signed(4, Type.PROPOSAL, 1, body.digest, 1, body))


def test_a_second_proposal_of_the_same_round_is_ignored() -> None:
    first, second = block(4, 1), block(4, 1, mark=1)
    state, effects = step(State(CHAIN, keys(4), 0, 1), Received(signed(4, Type.PROPOSAL, 1, first.digest, 1, first)))
    assert effects == (Check(first),)
    again = step(state, Received(signed(4, Type.PROPOSAL, 1, second.digest, 1, second)))
    assert again == (state, ())


def test_no_vote_without_a_checked_proposal() -> None:
    body, state = block(4, 1), State(CHAIN, keys(4), 0, 1)
    events = [Received(signed(4, Type.PREPARE, 1, body.digest, seat)) for seat in (1, 2, 3)]
    events.append(Received(signed(4, Type.PROPOSAL, 1, body.digest, 1, body)))
    for event in events:
        state, effects = step(state, event)
        assert not any(isinstance(effect, Vote) for effect in effects)
    _, effects = step(state, Checked(body.digest))
    assert [effect.type for effect in effects if isinstance(effect, Vote)] == [Type.PREPARE, Type.COMMIT]


def test_commits_to_another_digest_do_not_decide() -> None:
    body, other = block(4, 1), block(4, 1, mark=1)
    state = State(CHAIN, keys(4), 0, 1)
    state, _ = step(state, Received(signed(4, Type.PROPOSAL, 1, body.digest, 1, body)))
    state, _ = step(state, Checked(body.digest))
    for seat in (1, 2, 3):
        state, effects = step(state, Received(signed(4, Type.COMMIT, 1, other.digest, seat)))
        assert not any(isinstance(effect, Decide) for effect in effects)


@pytest.mark.parametrize("change", ["seat", "height", "round", "digest", "type", "signature"])
def test_a_signature_is_bound_to_everything_in_its_message(change: str) -> None:
    message = signed(4, Type.PREPARE, 1, bytes(32), 2)
    changes: dict[str, object] = {
        "seat": 3,
        "height": 2,
        "round": 1,
        "digest": bytes([1]) * 32,
        "type": Type.COMMIT,
        "signature": bytes(64),
    }
    assert check_message(CHAIN, keys(4), message)
    assert not check_message(CHAIN, keys(4), replace(message, **{change: changes[change]}))  # type: ignore[arg-type]


def test_a_signature_is_bound_to_the_chain_and_the_set() -> None:
    message = signed(4, Type.PREPARE, 1, bytes(32), 2)
    assert not check_message(bytes(32), keys(4), message)
    assert not check_message(CHAIN, keys(5), message)
    assert not check_message(CHAIN, keys(4), replace(message, seat=9))
    assert not check_message(CHAIN, keys(4), replace(message, block=block(4, 1)))


def test_a_certificate_needs_exactly_a_quorum_sorted_and_distinct() -> None:
    body = block(4, 1)
    seals = [Seal(seat, signed(4, Type.COMMIT, 1, body.digest, seat).signature) for seat in range(4)]
    good = tuple(seals[:3])
    assert check_decided(CHAIN, keys(4), Decided(body, Certificate(0, good)))
    for wrong in [
        good[:2],
        tuple(seals),
        good[::-1],
        (seals[0], seals[0], seals[1]),
        (*good[:2], Seal(7, good[2].signature)),
        (*good[:2], Seal(3, good[2].signature)),
    ]:
        assert not check_decided(CHAIN, keys(4), Decided(body, Certificate(0, wrong)))
    assert not check_decided(CHAIN, keys(4), Decided(body, Certificate(1, good)))
    assert not check_decided(CHAIN, keys(4), Decided(block(4, 1, mark=1), Certificate(0, good)))


def test_a_block_with_other_transactions_than_its_header_names_is_refused() -> None:
    body = block(4, 1)
    other = replace(body, transactions=(b"slipped in",))
    seals = tuple(Seal(seat, signed(4, Type.COMMIT, 1, body.digest, seat).signature) for seat in range(3))
    assert not check_message(CHAIN, keys(4), signed(4, Type.PROPOSAL, 1, body.digest, 1, other))
    assert not check_decided(CHAIN, keys(4), Decided(other, Certificate(0, seals)))
