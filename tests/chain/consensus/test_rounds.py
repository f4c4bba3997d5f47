"""When a round ends: timers, who is drawn along, who only listens."""

from __future__ import annotations

from salus_chain.consensus.core import Received, Restored, Started, Tick, Timeout, Timer, Timing, Work, step
from salus_chain.consensus.messages import NOTHING_PREPARED, Type
from tests.chain.consensus.table import Table, decisions, votes


def timers(effects: list[object]) -> list[tuple[int, int]]:
    return [(each.round, each.after_ms) for each in effects if isinstance(each, Timer)]


def test_there_is_no_timer_without_work_and_one_with() -> None:
    table = Table()
    state = table.state(0)
    assert timers(list(table.play(state, Tick())[1])) == []
    state, effects = table.play(state, Work())
    assert timers(list(effects)) == [(0, 400)]
    assert timers(list(table.play(state, Work())[1])) == []
    assert timers(list(table.receive(state, table.proposal(0, table.x))[1])) == [(0, 400)], "afresh at a proposal"


def test_a_later_rounds_timer_waits_for_a_quorum() -> None:
    table = Table()
    state, effects = table.play(table.state(0), Work(), Timeout(1, 0))
    assert timers(list(effects)) == [(0, 400)]
    state, effects = table.receive(state, table.change(2, 1))
    assert timers(list(effects)) == []
    _, effects = table.receive(state, table.change(3, 5))
    assert timers(list(effects)) == [(1, 800)]


def test_any_vote_of_a_round_shows_that_its_seat_is_there() -> None:
    """A seat that came to the round by its PROPOSAL, and then restarted, has no ROUND-CHANGE to show."""
    table = Table()
    own = (table.change(0, 2), table.vote(Type.PREPARE, 0, 2, table.x.digest))
    state, _ = table.play(table.state(0), Restored(own, None))
    state, effects = table.receive(state, table.change(1, 2))
    assert timers(list(effects)) == []
    _, effects = table.receive(state, table.vote(Type.PREPARE, 2, 2, table.x.digest))
    assert timers(list(effects)) == [(2, 1_600)]


def test_a_seat_that_restarts_with_votes_has_work() -> None:
    table = Table()
    _, effects = table.play(table.state(0), Restored((table.vote(Type.PREPARE, 0, 0, table.x.digest),), None))
    assert timers(list(effects)) == [(0, 400)]
    assert timers(list(table.play(table.state(0), Restored((), None))[1])) == []


def test_timers_double_up_to_a_cap_and_start_afresh_with_a_height() -> None:
    timing = Timing(100, 1_000)
    assert [timing.of(round_) for round_ in (0, 1, 2, 3, 4, 5, 1 << 40)] == [100, 200, 400, 800, 1_000, 1_000, 1_000]
    table = Table()
    state, _ = table.play(table.state(0), Work(), Timeout(1, 0))
    state, _ = table.play(state, Started(2, table.keys, table.keys))
    assert timers(list(table.play(state, Work())[1])) == [(0, 400)]


def test_a_timer_of_another_round_or_height_says_nothing() -> None:
    table = Table()
    state, _ = table.play(table.state(0), Work())
    for late in (Timeout(1, 1), Timeout(2, 0), Timeout(0, 0)):
        assert step(state, late) == (state, ())


def test_an_observer_only_listens() -> None:
    table = Table()
    state, effects = table.play(table.state(None), Work(), Received(table.proposal(0, table.x)))
    commits = [table.vote(Type.COMMIT, seat, 0, table.x.digest) for seat in range(3)]
    _, more = table.receive(state, *(table.change(seat, 3) for seat in range(2)), *commits)
    assert votes([*effects, *more]) == [] and timers([*effects, *more]) == []
    assert [decided.block for decided in decisions(more)] == [table.x]


def test_f_plus_1_seats_draw_a_seat_along_and_f_do_not() -> None:
    table = Table()
    state, effects = table.receive(table.state(0), table.change(1, 9))
    assert state.round == 0 and effects == []
    state, effects = table.receive(state, table.change(2, 3))
    assert state.round == 3 and votes(effects) == [(Type.ROUND_CHANGE, 3, NOTHING_PREPARED)]


def test_a_justified_proposal_draws_along_too() -> None:
    table = Table()
    changes = [table.change(seat, 2) for seat in (1, 2, 3)]
    state, effects = table.receive(table.state(0), table.proposal(2, table.x, changes))
    assert state.round == 2 and votes(effects) == [(Type.PREPARE, 2, table.x.digest)]
