from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from salus_chain.node import foresight
from salus_chain.node.foresight import MOST, SLICE, Foresight
from salus_chain.rules.transactions import CACHED_TX_BYTES, Revoke, Transaction, sign_transaction
from tests.chain.federation import federation


class Room:
    """What was looked at, and what is to happen later."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[bytes] = []
        self.later: list[Callable[[], None]] = []
        monkeypatch.setattr(foresight, "foresee", self.seen.append)
        self.foresight = Foresight(lambda after_ms, act: self.later.append(act))


def test_a_few_are_looked_at_in_each_turn_until_all_are(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(monkeypatch)
    data = [b"%d" % number for number in range(2 * SLICE + 1)]
    room.foresight.add(data[:-1])
    room.foresight.add(data[-1:])
    assert room.seen == [] and len(room.later) == 1
    for turn in (1, 2, 3):
        room.later.pop()()
        assert room.seen == data[: turn * SLICE]
    assert room.later == []


def test_what_waits_is_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(monkeypatch)
    room.foresight.add(b"%d" % number for number in range(MOST + 1))
    room.foresight.add([bytes(CACHED_TX_BYTES + 1)])
    while room.later:
        room.later.pop()()
    assert (len(room.seen), room.seen[0]) == (MOST, b"1")


def test_nothing_sets_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(monkeypatch)
    room.foresight.add([])
    assert room.later == []


async def test_of_a_batch_only_what_a_senders_rate_allows_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    verified: list[Transaction] = []
    monkeypatch.setattr(foresight, "is_signed", verified.append)
    made = federation()
    senders = [made.hospital(number) for number in range(3)]
    batch = [
        sign_transaction(made.genesis.chain_id, sender, nonce, Revoke("gateway"))
        for nonce in range(SLICE)
        for sender in senders
    ]
    rate = dict(zip((each.public_key for each in senders), (SLICE, 3, 0), strict=True))
    await foresight.foresee_batch([b"junk", *batch], rate.__getitem__)
    assert [sum(tx.sender == sender for tx in verified) for sender in rate] == [SLICE, 3, 0]


async def test_between_a_few_of_a_batch_others_have_their_turn() -> None:
    turns = 0

    async def vote() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    voting = asyncio.create_task(vote())
    await foresight.foresee_batch([b"junk"] * (5 * SLICE), lambda sender: 1)
    voting.cancel()
    assert turns == 5


def test_what_is_malformed_or_large_is_passed_over() -> None:
    foresight.foresee(b"junk")
    foresight.foresee(bytes(CACHED_TX_BYTES + 1))
