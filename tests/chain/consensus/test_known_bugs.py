"""Bugs that other consensus code had, each as a case that this one must pass; sources beside them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salus_chain.consensus.core import Accuse, Check, Received, ReceivedDecided, Timing, Vote, step
from salus_chain.consensus.messages import Type, is_decided, is_valid
from salus_chain.simulation.plan import Fault, Plan, Trigger
from salus_chain.simulation.world import Outcome, World
from tests.chain.consensus.table import Table, decisions, votes


def quiet(seats: int, seed: int = 1) -> Plan:
    """No liars and no faults: a network as it should be."""
    return Plan(
        seed=seed,
        style="calm",
        seats=seats,
        observers=0,
        liars=(),
        twins=(),
        lost=(),
        timing=Timing(200, 800),
        tick_ms=250,
        delay_ms=(2, 10),
        loss=0,
        twice=0,
        skew_ms=(0,) * (seats + 2),
        drift_ppm=(0,) * (seats + 2),
        faults=(),
        heal_ms=2_000,
        notes=tuple((at, at // 100 % seats, b"note %d" % at) for at in range(100, 1_500, 200)),
        changes=(),
        curve=False,
    )


def held(plan: Plan) -> tuple[Outcome, World]:
    """Run it; every invariant holds to the end."""
    world = World(plan)
    outcome = world.run()
    assert outcome.violation == ""
    return outcome, world


def test_ibft_1_locking_a_seat_locked_on_one_block_prepares_a_later_prepared_one() -> None:
    """IBFT 1 can stall for ever when seats are locked on different blocks (arXiv 1901.07160)."""
    table = Table()
    old, new = table.lock(0, table.x), table.lock(1, table.y)
    state = table.locked(0, 0, table.x)
    changes = [table.change(0, 2, old), table.change(1, 2, new), table.change(2, 2)]
    state, effects = table.receive(state, table.proposal(2, table.y, changes, new.certificate))
    assert votes(effects) == [(Type.PREPARE, 2, table.y.digest)]
    prepares = [table.vote(Type.PREPARE, seat, 2, table.y.digest) for seat in (1, 2)]
    state, _ = table.receive(state, *prepares)
    assert state.prepared is not None and (state.prepared.round, state.prepared.block) == (2, table.y)


def test_ibft_1_locking_a_block_that_may_be_final_is_never_given_up() -> None:
    """IBFT 1 can fork where the lock of a seat is not heard (arXiv 1901.07160); here any quorum has a locked seat."""
    table = Table()
    lock = table.lock(0, table.x)  # committed by 0, 1, 2: it may be final
    without = [table.change(seat, 1) for seat in (1, 2, 3)]
    for honest in (1, 2):
        there = [table.change(seat, 1, lock if seat == honest else None) for seat in (1, 2, 3)]
        assert not is_valid(table.council, table.proposal(1, table.y, there))
        assert is_valid(table.council, table.proposal(1, table.x, there, lock.certificate))
    assert is_valid(table.council, table.proposal(1, table.y, without)), "only if none of them is locked"


@pytest.mark.parametrize("forgery", ["few", "one seat", "another round", "another block", "another type", "stranger"])
def test_a_proposal_carried_by_a_forged_prepared_certificate_is_refused(forgery: str) -> None:
    """The claim to have prepared a block counts with its proof alone (Moniz, arXiv 2002.03613, algorithm 4)."""
    table = Table()
    good = table.seals(Type.PREPARE, 0, table.y)
    forged = {
        "few": good[:2],
        "one seat": (good[0], replace(good[0], seat=1), replace(good[0], seat=2)),
        "another round": table.seals(Type.PREPARE, 1, table.y),
        "another block": table.seals(Type.PREPARE, 0, table.x),
        "another type": table.seals(Type.COMMIT, 0, table.y),
        "stranger": (*good[:2], replace(good[2], seat=4)),
    }[forgery]
    claim = table.vote(Type.ROUND_CHANGE, 3, 2, table.y.digest, prepared=0, certificate=forged)
    assert not is_valid(table.council, claim)
    changes = [table.change(1, 2), table.change(2, 2), claim]
    state, effects = table.receive(table.state(0), table.proposal(2, table.y, changes, forged))
    assert votes(effects) == [] and state.round == 0
    assert is_valid(table.council, replace(claim, certificate=good))


def test_an_older_certificate_in_an_honest_round_change_is_refused() -> None:
    """A ROUND-CHANGE whose signature does not cover what was prepared lets one liar unlock an honest seat."""
    table = Table()
    old, new = table.lock(0, table.x), table.lock(1, table.y)
    honest = table.change(1, 2, new)
    swapped = replace(honest, prepared=0, digest=table.x.digest, certificate=old.certificate)
    stripped = replace(table.change(1, 2), signature=honest.signature)
    for forged in (swapped, stripped, replace(honest, certificate=old.certificate)):
        assert not is_valid(table.council, forged)
    for forged in (swapped, stripped):
        changes = [table.change(0, 2), forged.bare, table.change(2, 2)]
        assert not is_valid(table.council, table.proposal(2, table.x, changes, old.certificate))
        assert not is_valid(table.council, table.proposal(2, table.x, changes))


def test_a_prepared_block_proposed_again_long_after_its_time_passes_the_clock() -> None:
    """A validator that compares it with its clock refuses what others have locked, and the height never ends."""
    table = Table()
    lock = table.lock(0, table.x)
    changes = [table.change(1, 3, lock), table.change(2, 3), table.change(3, 3)]
    _, effects = step(table.state(1), Received(table.proposal(3, table.x, changes, lock.certificate)))
    assert Check(table.x, fresh=False) in effects
    fresh = [table.change(seat, 3) for seat in (1, 2, 3)]
    _, effects = step(table.state(1), Received(table.proposal(3, table.x, fresh)))
    assert Check(table.x, fresh=True) in effects


@pytest.mark.parametrize("count", [1, 2, 3])
def test_all_seats_down_after_a_commit_finish_the_block_from_their_logs(count: int) -> None:
    """GoQuorum needed 38 s, or a person. The mempools are empty afterwards: the bodies are in the logs alone."""
    plan = replace(
        quiet(4, seed=count),
        faults=(Fault("crash", Trigger(Type.COMMIT, count), 5_000, (0, 1, 2, 3)),),
        notes=((100, 0, b"the only note"),),
    )
    outcome, world = held(plan)
    assert outcome.counts["restarts with a lock"] >= 1
    assert any(b"the only note" in decided.block.transactions for decided in world.nodes[0].disk.blocks)
    first = world.nodes[0].disk.blocks[0].block
    assert b"the only note" in first.transactions, "what was locked comes first"


@pytest.mark.parametrize("seats", [4, 6, 7, 10])
def test_a_chain_goes_on_at_once_when_more_than_f_were_down_and_are_back(seats: int) -> None:
    """Besu #7642: the round timer had grown to 4,096 s. Here no round passes while a quorum is missing."""
    down = tuple(range(seats - seats // 2 - 1, seats))
    plan = replace(
        quiet(seats),
        style="stall",
        faults=(Fault("crash", 450, 60_000, down),),
        notes=(*quiet(seats).notes, *((at, 0, b"waits %d" % at) for at in range(2_000, 60_000, 10_000))),
        heal_ms=60_000,
    )
    outcome, _ = held(plan)
    assert outcome.counts["highest round"] <= 2 and outcome.waited_ms < 1_500


def test_a_timer_never_grows_beyond_its_cap() -> None:
    """Besu #7642 again: 2^round seconds without a limit."""
    assert max(Timing().of(round_) for round_ in (*range(100), 1 << 20, 1 << 62)) == Timing().most_ms == 6_400


def test_twins_break_nothing_and_are_proven_guilty() -> None:
    """Two copies of one seat with one key (Bano et al., Twins, arXiv 2004.10617)."""
    accused = 0
    for seed in range(20):
        plan = replace(
            quiet(4, seed),
            twins=(seed % 4,),
            skew_ms=(0, 0, 0, 0, 40),
            faults=(
                Fault("split", 200 + 20 * seed, 500, (seed % 4, (seed + 1) % 4)),
                Fault("split", 800, 400, (4, (seed + 2) % 4)),
            ),
            notes=(*quiet(4).notes, (150, 4, b"the twin's"), (710, 4, b"the twin's second")),
        )
        outcome, _ = held(plan)
        accused += outcome.counts["accusations"]
    assert accused > 0


def test_a_liar_that_votes_for_its_own_lie_convinces_nobody() -> None:
    """Its own PREPARE and COMMIT, and f seats at most beside it, are no quorum; and an invalid block gets no vote."""
    for seed in range(20):
        plan = replace(quiet(4, seed), liars=((seed % 4, ("equivocate", "invalid", "own lie")),))
        outcome, _ = held(plan)
    table = Table()
    lie = table.proposal(0, table.x)
    own = [table.vote(type_, 1, 0, table.x.digest) for type_ in (Type.PREPARE, Type.COMMIT)]
    state, effects = step(table.state(0), Received(lie))
    for vote in own:
        state, more = step(state, Received(vote))
        effects += more
    assert not any(isinstance(each, Vote) for each in effects), "never `Checked`: invalid"
    assert outcome.counts["trick own lie"] > 0


def test_half_of_six_seats_are_no_quorum() -> None:
    """2f+1 = 3 of 6 lets two halves decide different blocks; ceil(2n/3) = 4 does not (arXiv 1909.10194)."""
    table = Table(6)
    assert (table.council.quorum, table.council.faults) == (4, 1)
    assert not is_decided(table.council, table.decided(table.x, seats=(0, 1, 2)))
    assert is_decided(table.council, table.decided(table.x, seats=(0, 1, 2, 5)))
    _, effects = table.play(table.state(4), ReceivedDecided(table.decided(table.y, seats=(3, 4, 5))))
    assert decisions(effects) == []
    halves = replace(quiet(6), faults=(Fault("split", 50, 1_900, (0, 1, 2)),))
    _, world = held(halves)
    assert world.judge.final


def test_the_same_signature_in_its_other_spelling_is_no_second_vote() -> None:
    """ECDSA's (r, −s): taken as a vote it would make two certificates of one decision, or false evidence."""
    table = Table()
    vote = table.vote(Type.PREPARE, 1, 0, table.x.digest)
    other = replace(vote, signature=table.keyring.malleated(vote.signature))
    assert not is_valid(table.council, other)
    _, effects = table.receive(table.state(0), vote, other)
    assert not any(isinstance(each, Accuse) for each in effects)
