from __future__ import annotations

from collections.abc import Callable

from salus_chain.node.gossip import FRAME_BYTES, HANDED, Gossip, frames
from salus_chain.node.network import wire

PROPOSER = bytes([2]) * 33
OTHER = bytes([3]) * 33


class Room:
    """What was sent, and what is to happen later."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes | None, tuple[bytes, ...]]] = []
        self.later: list[Callable[[], None]] = []
        self.waiting: set[bytes] = set()
        self.moves = False
        self.gossip = Gossip(
            self.send,
            lambda after_ms, act: self.later.append(act),
            lambda tx_id: tx_id in self.waiting,
            lambda: self.moves,
        )

    def send(self, to: bytes | None, frame: wire.Sent) -> None:
        assert isinstance(frame, wire.Txs)
        self.sent.append((to, frame.transactions))


def test_the_proposer_hears_at_once_and_the_others_only_of_what_still_waits() -> None:
    room = Room()
    room.waiting = {b"1", b"2"}
    room.gossip.add({b"1": b"one"}, PROPOSER)
    room.gossip.add({b"2": b"two"}, PROPOSER)
    assert room.sent == [(PROPOSER, (b"one",)), (PROPOSER, (b"two",))]
    room.waiting = {b"2"}  # the first is final
    room.later.pop()()
    assert room.sent[2:] == [(None, (b"two",))]
    room.gossip.add({b"3": b"three"}, PROPOSER)
    assert len(room.later) == 1


def test_while_the_chain_moves_each_height_s_proposer_alone_hears() -> None:
    room = Room()
    room.moves = True
    room.waiting = {b"1", b"2"}
    room.gossip.add({b"1": b"one", b"2": b"two"}, PROPOSER)
    room.later.pop()()
    room.waiting = {b"2"}
    room.gossip.turn(OTHER)
    room.later.pop()()
    room.gossip.turn(None)  # this node itself
    assert room.sent == [(PROPOSER, (b"one", b"two")), (OTHER, (b"two",))]
    room.moves = False
    room.later.pop()()
    assert room.sent[2:] == [(None, (b"two",))]


def test_what_has_to_wait_for_a_later_block_all_hear_of_at_once() -> None:
    room = Room()
    room.moves = True
    many = {bytes([0, *number.to_bytes(2, "big")]): b"%d" % number for number in range(HANDED + 2)}
    room.waiting = set(many)
    room.gossip.add(many, PROPOSER)
    (first, handed), (rest, foreseen) = room.sent
    assert (first, len(handed), rest, len(foreseen)) == (PROPOSER, HANDED, None, 2)
    room.gossip.add({b"new": b"new"}, PROPOSER)
    assert room.sent[2:] == [(None, (b"new",))]


def test_what_is_final_is_not_looked_at_again() -> None:
    room = Room()
    room.gossip.add({b"1": b"one"}, PROPOSER)
    room.later.pop()()
    assert room.later == [] and len(room.sent) == 1


def test_a_proposer_tells_nobody_of_what_it_made_final() -> None:
    room = Room()
    room.gossip.add({b"1": b"one"}, None)
    room.later.pop()()
    assert room.sent == []


def test_nothing_new_sets_no_timer() -> None:
    room = Room()
    room.gossip.add({}, PROPOSER)
    assert room.sent == [] and room.later == []


def test_frames_are_few_and_none_is_too_large() -> None:
    data = [bytes([number]) * (FRAME_BYTES // 3) for number in range(7)]
    made = list(frames(data))
    assert [len(frame.transactions) for frame in made] == [3, 3, 1]
    assert [each for frame in made for each in frame.transactions] == data
