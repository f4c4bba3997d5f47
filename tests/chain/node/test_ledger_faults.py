"""What must not move a validator, and what must stop it."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from salus_chain.consensus.messages import Decided, Type
from salus_chain.errors import Damaged, DecodeError, DiskFull, Rejected
from salus_chain.founding import prepare_folder
from salus_chain.genesis import quorum
from salus_chain.node.network import wire
from salus_chain.node.storage.holdings import VOTES_FILE
from salus_chain.node.storage.records import read_records
from salus_chain.node.storage.store import Store
from salus_chain.node.storage.votes import Slot
from salus_chain.rules.blocks import Block, Certificate
from salus_chain.rules.state import State
from salus_chain.rules.transactions import ApproveModel
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, TASK
from tests.chain.node.world import APPROVE, World


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
