"""Whole validators without sockets: real stores and vote logs, frames handed over in memory, a clock we turn."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from salus_chain.consensus import core
from salus_chain.consensus.messages import Council, Decided, Message, Type
from salus_chain.errors import Damaged, DecodeError, DiskFull, Rejected
from salus_chain.founding import prepare_folder
from salus_chain.genesis import quorum
from salus_chain.keys import verify
from salus_chain.node.ledger import Identity, Ledger
from salus_chain.node.network import wire
from salus_chain.node.storage.holdings import DATABASE_FILE, VOTES_FILE
from salus_chain.node.storage.records import read_records
from salus_chain.node.storage.store import Store
from salus_chain.node.storage.votes import Slot, VoteLog
from salus_chain.rules.blocks import VOTE_DOMAIN, Block, Certificate
from salus_chain.rules.state import RoundStatus, State, state_root
from salus_chain.rules.transactions import ApproveModel, Consent, Withdraw, sign_transaction
from tests.chain.federation import (
    LAYOUT,
    MODEL_DIGEST,
    PROGRAM,
    START_MS,
    TASK,
    Federation,
    federation,
)

APPROVE = ApproveModel(TASK, 1, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST)


class World:
    """n ledgers in folders of `path`; frames wait in `wires` until `deliver`."""

    def __init__(self, path: Path, n: int = 4) -> None:
        self.f: Federation = federation(n)
        self.path = path
        self.now_ms = START_MS + 1_000
        self.wires: deque[tuple[int, int, wire.Frame]] = deque()
        self.ledgers: dict[int, Ledger] = {}
        self.logs: dict[int, VoteLog] = {}
        self.timers: dict[int, tuple[int, core.Timeout]] = {}
        self.looks: dict[int, tuple[int, Callable[[], None]]] = {}  # at what its clients handed in, and nobody took
        for seat in range(n):
            prepare_folder(path / str(seat), self.f.genesis)
            self.start(seat)

    def start(self, seat: int) -> None:
        folder = self.path / str(seat)
        store = Store.open(folder / DATABASE_FILE, self.f.genesis)
        self.logs[seat] = VoteLog.open(folder / VOTES_FILE)
        keys = self.f.genesis.keys

        def send(to: bytes | None, frame: wire.Sent) -> None:
            others = [other for other in range(len(keys)) if other != seat]
            sent = wire.decode_frame(frame.data) if isinstance(frame, wire.Recorded) else frame
            self.wires.extend((seat, other, sent) for other in others if to in (None, keys[other]))

        def set_timer(timer: core.Timer) -> None:
            self.timers[seat] = (self.now_ms + timer.after_ms, core.Timeout(timer.height, timer.round))

        def later(after_ms: int, act: Callable[[], None]) -> None:
            self.looks[seat] = (self.now_ms + after_ms, act)

        who, timing = Identity(f"hospital-{seat}", self.f.validators[seat]), core.Timing(400, 6_400)
        ledger = Ledger(who, store, self.logs[seat], send, set_timer, lambda: self.now_ms, timing, later)
        self.ledgers[seat] = ledger
        ledger.resume()

    def kill(self, seat: int) -> None:
        self.logs[seat].close()
        self.timers.pop(seat, None)
        self.looks.pop(seat, None)
        self.ledgers.pop(seat).store.close()

    def deliver(self) -> None:
        while self.wires:
            sender, to, frame = self.wires.popleft()
            if to not in self.ledgers:
                continue
            self.hand_over(sender, to, wire.decode_frame(wire.encode_frame(frame)))

    def hand_over(self, sender: int, to: int, frame: wire.Frame) -> None:
        """As `Node.received` does."""
        ledger, key = self.ledgers[to], self.f.genesis.keys[sender]
        match frame:
            case Message():
                ledger.handle(core.Received(frame))
            case Decided():
                ledger.handle(core.ReceivedDecided(frame))
            case wire.Get(height, round_, digest):
                ledger.stands(key, height, round_)
                ledger.handle(core.Asked(key, height, digest))
            case wire.Body(block):
                ledger.handle(core.ReceivedBody(block))
            case wire.Txs(transactions):
                for data in transactions:
                    ledger.gossiped((data,))

    def elapse(self, duration_ms: int) -> None:
        """Time passes; timers run out in their order, and a tick comes at the end."""
        end_ms = self.now_ms + duration_ms
        while due := [(what[seat][0], seat, what) for what in (self.timers, self.looks) for seat in what]:
            due_ms, seat, what = min(due, key=lambda each: each[:2])
            if due_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            _, todo = what.pop(seat)
            if isinstance(todo, core.Timeout):
                self.ledgers[seat].handle(todo)
            else:
                todo()
            self.deliver()
        self.now_ms = end_ms
        self.tick()

    def tick(self) -> None:
        for ledger in self.ledgers.values():
            ledger.tick()
        self.deliver()

    def heights(self) -> list[int]:
        roots = {ledger.state.height: state_root(ledger.state) for ledger in self.ledgers.values()}
        assert all(state_root(each.state) == roots[each.state.height] for each in self.ledgers.values())
        return [ledger.state.height for ledger in self.ledgers.values()]


def consent(world: World, number: int) -> bytes:
    state = world.ledgers[1].mempool.pending
    return world.f.sign(world.f.validators[0], state, Consent(bytes([number]) * 32, bytes(32)))


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


def test_malformed_and_refused_transactions_change_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    with pytest.raises(Rejected, match="malformed"):
        world.ledgers[0].submit(b"junk")
    with pytest.raises(Rejected, match="wrong_sequence"):
        world.ledgers[0].submit(world.f.quorum(ApproveModel(TASK, 2, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST)))
    world.deliver()
    assert world.heights() == [0] * 4 and not world.ledgers[0].mempool.waiting


def test_no_damaged_frame_of_a_peer_stops_a_validator_or_moves_it(tmp_path: Path) -> None:
    world, rng = World(tmp_path), Random(7)
    world.ledgers[1].submit(world.f.quorum(APPROVE))
    frames = [wire.encode_frame(frame) for _, to, frame in world.wires if to == 0]
    world.kill(0)
    world.deliver()
    stored = world.ledgers[1].store.block(1)
    assert stored is not None
    frames += [wire.encode_frame(frame) for frame in (Decided(*stored), wire.Txs((b"junk",)), wire.Get(1 << 62, 0))]
    world.start(0)
    world.wires.clear()
    heard = 0
    for _ in range(4_000):
        raw = bytearray(rng.choice(frames))
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        with suppress(DecodeError):
            world.hand_over(1, 0, wire.decode_frame(bytes(raw)))
            heard += 1
    assert heard > 1_000
    assert world.ledgers[0].state.height == 0 and not world.logs[0].at(1)
    world.wires.clear()
    world.tick()
    assert world.heights() == [1] * 4


@pytest.mark.parametrize("n", [1, 4])
def test_votes_are_on_disk_before_a_block_that_they_make_final(
    tmp_path: Path, n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that holds an own COMMIT which no vote log knows would look like a vote from elsewhere."""
    world, append, checked = World(tmp_path, n), Store.append, list[int]()

    def stored(store: Store, block: Block, certificate: Certificate, before: State, after: State) -> None:
        seat = next(seat for seat, ledger in world.ledgers.items() if ledger.store is store)
        on_disk = {record.slot for record in read_records(tmp_path / str(seat) / VOTES_FILE)}
        if any(seal.seat == seat for seal in certificate.seals):
            assert Slot(block.header.height, certificate.round, int(Type.COMMIT)) in on_disk
            checked.append(seat)
        append(store, block, certificate, before, after)

    monkeypatch.setattr(Store, "append", stored)
    world.ledgers[0].submit(world.f.quorum(APPROVE))
    world.deliver()
    assert world.heights() == [1] * n
    assert len(checked) >= quorum(n)


def test_a_validator_put_back_from_an_old_copy_stops_at_its_own_later_vote(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.ledgers[0].submit(world.f.quorum(APPROVE))
    world.deliver()
    stored = world.ledgers[0].store.block(1)
    assert stored is not None
    seat = next(seal.seat for seal in stored[1].seals if seal.seat != 0)
    for each in (1, 2, 3):
        world.kill(each)
    shutil.rmtree(tmp_path / str(seat))
    prepare_folder(tmp_path / str(seat), world.f.genesis)
    with pytest.raises(Damaged, match="an old copy, or another machine uses this key too"):
        world.start(seat)
        world.tick()
    assert world.ledgers[seat].state.height == 0 and not world.logs[seat].at(1)


def test_what_stopped_a_validator_stops_it_at_every_event_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first may be lost in the answer to a client."""
    world = World(tmp_path, 1)

    def full(*_: object) -> None:
        raise DiskFull("chain.sqlite: disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "append", full)
        with pytest.raises(DiskFull):
            world.ledgers[0].submit(world.f.quorum(APPROVE))
    with pytest.raises(DiskFull):
        world.ledgers[0].tick()
    world.kill(0)
    world.start(0)
    world.tick()
    assert world.heights() == [1]
