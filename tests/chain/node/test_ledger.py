"""What validators do together: blocks, outages, restarts, evidence, clocks."""

from __future__ import annotations

from collections import deque
from pathlib import Path

import pytest

from salus_chain.consensus.messages import Council, Message, Type
from salus_chain.keys import verify
from salus_chain.node.network import wire
from salus_chain.rules.blocks import VOTE_DOMAIN
from salus_chain.rules.state import RoundStatus
from salus_chain.rules.transactions import Consent, Withdraw, sign_transaction
from tests.chain.federation import TASK
from tests.chain.node.world import APPROVE, World, consent


@pytest.mark.parametrize("n", [1, 4])
def test_a_submitted_transaction_is_final_everywhere_and_no_empty_block_follows(tmp_path: Path, n: int) -> None:
    world = World(tmp_path, n)
    tx_id = world.ledgers[n - 1].submit(world.f.quorum(APPROVE))
    world.deliver()
    assert world.heights() == [1] * n
    assert all(ledger.store.height_of(tx_id) == 1 for ledger in world.ledgers.values())
    world.tick()
    assert world.heights() == [1] * n
    assert world.ledgers[0].submit(world.f.quorum(APPROVE)) == tx_id  # again, harmlessly
    world.deliver()
    assert world.heights() == [1] * n


def test_a_nodes_own_votes_are_not_verified_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def counted(key: bytes, signature: bytes, domain: bytes, message: bytes) -> bool:
        asked.append(key)
        return verify(key, signature, domain, message)

    monkeypatch.setattr("salus_chain.node.ledger.verify", counted)
    world = World(tmp_path, 1)
    world.ledgers[0].submit(world.f.quorum(APPROVE))
    assert world.heights() == [1] and asked == []  # PROPOSAL, PREPARE and COMMIT
    council = Council.of(world.f.genesis.chain_id, world.f.genesis.keys, world.ledgers[0]._verify)
    covered = council.covered(Type.COMMIT, 9, 0, bytes(32))
    assert not world.ledgers[0]._verify(world.f.genesis.keys[0], bytes(64), VOTE_DOMAIN, covered) and len(asked) == 1


def test_who_has_enough_for_two_blocks_takes_only_a_few_and_the_urgent_from_peers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("salus_chain.node.intake.SPARE", 1)
    world = World(tmp_path)
    ledger, f = world.ledgers[1], world.f
    ledger._intake.most = 2
    signed = [
        sign_transaction(f.genesis.chain_id, f.validators[0], nonce, Consent(bytes([nonce]) * 32, bytes(32)))
        for nonce in range(6)
    ]
    withdrawal = sign_transaction(f.genesis.chain_id, f.validators[0], 5, Withdraw(bytes(32)))
    ledger.gossiped(signed[:4])
    assert len(ledger.mempool) == 4
    ledger.gossiped(signed[4:])
    assert len(ledger.mempool) == 5
    ledger.gossiped((withdrawal,))
    assert len(ledger.mempool) == 6


def test_a_due_close_makes_a_block_without_transactions(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ledgers[0].submit(world.f.quorum(APPROVE))
    world.deliver()
    state = world.ledgers[0].state
    world.ledgers[0].submit(world.f.sign(world.f.coordinator, state, world.f.open_body(state)))
    world.deliver()
    world.tick()
    assert world.heights() == [2] * 4
    world.now_ms = world.ledgers[0].state.rounds[TASK].open.deadline_ms
    world.tick()
    assert world.heights() == [3] * 4
    assert world.ledgers[0].state.rounds[TASK].status is RoundStatus.EXPIRED


def test_a_dead_proposer_costs_one_round_and_catches_up_when_it_is_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.kill(0)
    world.ledgers[1].submit(world.f.quorum(APPROVE))
    world.deliver()
    for number in range(2):  # proposers 2 and 3; the next is the dead one
        world.ledgers[1].submit(consent(world, number))
        world.deliver()
    assert world.heights() == [3] * 3
    world.ledgers[1].submit(consent(world, 7))
    world.deliver()
    assert world.heights() == [3] * 3
    world.elapse(650)  # 250 until the others hear of it, 400 until they give the proposer up
    assert world.heights() == [4] * 3
    stored = world.ledgers[1].store.block(4)
    assert stored is not None and stored[1].round == 1
    world.start(0)
    world.tick()
    assert world.heights() == [4] * 4


def test_without_a_quorum_the_round_stays_and_the_chain_goes_on_at_once_when_one_is_back(tmp_path: Path) -> None:
    world = World(tmp_path)
    for seat in (0, 1):
        world.kill(seat)
    world.ledgers[2].submit(world.f.quorum(APPROVE))
    world.deliver()
    for _ in range(200):
        world.elapse(1_000)
    assert [ledger.round for ledger in world.ledgers.values()] == [1, 1]
    world.start(0)
    world.tick()
    assert world.heights() == [1] * 3


def test_locks_and_bodies_survive_the_end_of_all_validators(tmp_path: Path) -> None:
    """Every validator has COMMITted, nobody heard the others, all die, and the proposer stays dead."""
    world = World(tmp_path)
    world.ledgers[1].submit(world.f.quorum(APPROVE))
    while world.wires:
        sender, to, frame = world.wires.popleft()
        if isinstance(frame, Message) and frame.type is not Type.COMMIT:
            world.hand_over(sender, to, frame)
    assert all(any(record.lock for record in world.logs[seat].at(1)) for seat in range(4))
    proposal = wire.decode_frame(world.logs[1].at(1)[0].message)
    for seat in range(4):
        world.kill(seat)
    for seat in (0, 2, 3):
        world.start(seat)
    world.wires.clear()
    world.elapse(20_000)
    assert isinstance(proposal, Message)
    assert world.heights() == [1] * 3 and world.ledgers[0].state.parent == proposal.digest


def test_a_validator_that_signs_two_votes_in_one_slot_loses_its_seat_and_the_chain_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    liar = world.f.validators[3]
    council = Council.of(world.f.genesis.chain_id, world.f.genesis.keys, verify)
    for digest in (bytes([1]) * 32, bytes([2]) * 32):
        signature = liar.sign(VOTE_DOMAIN, council.covered(Type.PREPARE, 1, 0, digest))
        world.hand_over(3, 0, Message(Type.PREPARE, 1, 0, digest, 3, signature))
    world.elapse(100)
    world.elapse(100)
    for seat, ledger in world.ledgers.items():
        assert (
            liar.public_key not in ledger.state.validators and ledger.state.standings[liar.public_key].convicted_height
        )
        assert (ledger.seat is None) == (seat == 3)
    before = world.heights()[0]
    world.ledgers[0].submit(consent(world, 1))
    world.deliver()
    assert world.heights() == [before + 1] * 4  # the one without a seat goes on listening


@pytest.mark.parametrize("dead", [1, 2, 3])
def test_all_killed_between_two_messages_finish_the_same_block(tmp_path: Path, dead: int) -> None:
    world = World(tmp_path)
    world.ledgers[1].submit(world.f.quorum(APPROVE))
    proposed = [record.message for record in world.logs[1].at(1)]
    for _ in range(6 * dead):  # somewhere in the middle
        if world.wires:
            sender, to, frame = world.wires.popleft()
            if isinstance(frame, Message):
                world.hand_over(sender, to, frame)
    votes = {seat: log.at(1) for seat, log in world.logs.items()}
    for seat in range(4):
        world.kill(seat)
    world.wires.clear()
    world.now_ms += 60_000
    for seat in range(4):
        world.start(seat)
    world.tick()
    world.tick()
    assert world.heights() == [1] * 4
    for seat, before in votes.items():
        assert set(before) <= set(world.logs[seat].at(1))
    first = wire.decode_frame(proposed[0])
    assert isinstance(first, Message) and first.type is Type.PROPOSAL
    assert world.ledgers[2].state.parent == first.digest


def test_a_proposal_far_ahead_of_the_clock_waits_until_its_time(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.now_ms += 5_000
    world.ledgers[1].submit(world.f.quorum(APPROVE))
    proposal = [item for item in world.wires if isinstance(item[2], Message)]
    world.now_ms -= 5_000
    world.wires = deque(proposal)
    world.deliver()
    assert world.heights() == [0] * 4
    world.now_ms += 4_000
    world.tick()
    assert world.heights() == [1] * 4


def test_a_chain_whose_clocks_were_ahead_goes_on_when_they_are_set_right(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.now_ms += 3_600_000
    world.ledgers[1].submit(world.f.quorum(APPROVE))
    world.deliver()
    assert world.heights() == [1] * 4
    ahead_ms = world.ledgers[0].state.time_ms
    world.now_ms -= 3_600_000
    world.ledgers[2].submit(consent(world, 1))
    world.deliver()
    assert world.heights() == [2] * 4 and world.ledgers[0].state.time_ms == ahead_ms + 1
