"""Saying again, asking, serving, waiting for a time: how a seat comes to what it missed."""

from __future__ import annotations

from dataclasses import replace

from salus_chain.consensus.core import (
    SERVED_BLOCKS,
    Asked,
    Check,
    Connected,
    Decide,
    Get,
    Received,
    ReceivedDecided,
    Send,
    Serve,
    Started,
    Tick,
    Work,
    step,
)
from salus_chain.consensus.messages import Type
from tests.chain.consensus.table import Table


def test_a_tick_and_a_connection_say_again_what_was_said() -> None:
    table = Table()
    state = table.locked(0, 0, table.x)
    said = (table.vote(Type.PREPARE, 0, 0, table.x.digest), table.vote(Type.COMMIT, 0, 0, table.x.digest))
    assert step(state, Tick())[1] == (Send(None, said), Get(None, 1))
    assert step(state, Connected(table.keys[2]))[1] == (Send(table.keys[2], said), Get(table.keys[2], 1))


def test_a_body_goes_out_again_only_when_its_round_drags_on() -> None:
    table = Table()
    state, _ = table.play(table.state(1), Work(), block=table.x)

    def bodies(effects: tuple[object, ...]) -> int:
        return sum(message.block is not None for each in effects if isinstance(each, Send) for message in each.messages)

    state, effects = step(state, Tick())
    assert bodies(effects) == 0 or state.stale
    assert bodies(step(state, Tick())[1]) == 1


def test_a_final_block_alone_brings_a_seat_on_and_a_false_one_does_not() -> None:
    table = Table()
    decided = table.decided(table.x, round_=3)
    assert step(table.state(0), ReceivedDecided(decided))[1] == (Decide(decided),)
    short = replace(decided, certificate=replace(decided.certificate, seals=decided.certificate.seals[1:]))
    assert step(table.state(0), ReceivedDecided(short))[1] == ()


def test_who_asks_for_a_past_height_is_served() -> None:
    table = Table()
    state, _ = table.play(table.state(0), Started(2, table.keys, table.keys))
    assert step(state, Asked(table.keys[1], 1))[1] == (Serve(table.keys[1], 1),)
    assert step(state, Asked(table.keys[1], 2))[1] == ()


def test_votes_for_the_next_height_wait_for_it() -> None:
    table = Table()
    early = [table.vote(Type.COMMIT, seat, 0, table.x.digest, height=2) for seat in (1, 2)]
    state, effects = table.receive(table.state(0), *early)
    assert effects == [] and len(state.ahead) == 2
    state, _ = table.play(state, Started(2, table.keys, table.keys))
    assert len(state.votes) == 2 and not state.ahead


def test_a_vote_from_further_ahead_is_a_reason_to_ask() -> None:
    table = Table()
    far = table.vote(Type.COMMIT, 2, 0, table.x.digest, height=7)
    state, effects = step(table.state(0), Received(far))
    assert effects == (Get(table.keys[2], 1),)
    assert step(table.state(0), Received(replace(far, seat=9)))[1] == ()
    assert step(state, Received(replace(far, seat=3)))[1] == (), "the answer is on its way"
    for height in range(2, SERVED_BLOCKS + 1):
        state, _ = table.play(state, Started(height, table.keys, table.keys))
        far = replace(far, height=height + 2)
        assert step(state, Received(far))[1] == ()
    state, _ = table.play(state, Started(SERVED_BLOCKS + 1, table.keys, table.keys))
    assert step(state, Received(replace(far, height=99)))[1] == (Get(table.keys[2], SERVED_BLOCKS + 1),)


def test_a_proposal_that_was_too_early_is_looked_at_again() -> None:
    table = Table()
    state, _ = step(table.state(0), Received(table.proposal(0, table.x)))
    assert Check(table.x, fresh=True) in step(state, Tick())[1]
