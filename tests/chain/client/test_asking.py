"""Whom a client asks, and whom it believes to be there."""

from __future__ import annotations

import httpx
import pytest

from salus_chain.errors import Rejected, Unreachable
from salus_chain.views import Refusal, Status, to_json
from tests.chain.client.scripted import UPDATE, F, client, refusal
from tests.chain.light.trail import EARLY_MEMBERS, MEMBERS, PROOF


async def test_a_read_goes_to_the_next_validator_when_one_is_gone_or_broken() -> None:
    asked: list[int] = []

    def answer(seat: int, request: httpx.Request) -> httpx.Response:
        asked.append(seat)
        if seat == 0:
            raise httpx.ConnectError("gone")
        if seat == 1:
            return httpx.Response(500)
        return httpx.Response(200, content=to_json(Status("hospital", F.genesis.chain_id, 7, 8)))

    async with client(answer) as each:
        assert await each.height() == 7
        assert await each.height() == 7
    assert asked == [0, 1, 2, 2]


async def test_nobody_there_is_said_so() -> None:
    async with client(lambda seat, request: httpx.Response(503)) as each:
        with pytest.raises(Unreachable, match="no validator answered"):
            await each.status()
        with pytest.raises(Unreachable, match="0 of 2 receipts"):
            await each.put_update(UPDATE, F.gateway(0))


async def test_a_refusal_is_told_with_its_code() -> None:
    async with client(lambda seat, request: refusal("wrong_shape")) as each:
        with pytest.raises(Rejected, match="wrong_shape"):
            await each.put_update(UPDATE, F.gateway(0))
        with pytest.raises(Rejected, match="wrong_shape"):
            await each.submit(b"tx")


async def test_who_takes_part_is_learned_from_the_first_proof_that_holds_and_asked_from_then_on() -> None:
    asked: list[int] = []

    def members(port: int, request: httpx.Request) -> httpx.Response:
        asked.append(port)
        if port == 8000:
            return httpx.Response(200, content=PROOF)
        if port == 8001:
            return httpx.Response(200, content=MEMBERS.encode()[:-1])
        return httpx.Response(200, content=MEMBERS.encode())

    async with client(lambda seat, request: httpx.Response(404), members) as each:
        roster = await each.members()
        assert len(roster.validators) == 5 and asked == [8000, 8001, 8002]
        assert {seat.url for seat in roster.seats} == set(each._urls)


async def test_an_older_account_of_who_takes_part_than_known_is_not_believed() -> None:
    old = MEMBERS

    def members(port: int, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=old.encode())

    async with client(lambda seat, request: httpx.Response(404), members) as each:
        await each.members()
        old = EARLY_MEMBERS
        with pytest.raises(Unreachable, match="before block"):
            await each.members()


async def test_a_refusal_that_is_none_is_no_word_of_the_chain() -> None:
    async with client(lambda seat, request: httpx.Response(409, content=b"junk")) as each:
        with pytest.raises(Unreachable, match="Refusal"):
            await each.submit(b"tx")


async def test_a_validator_that_is_busy_says_so_in_its_own_code() -> None:
    busy = httpx.Response(429, content=to_json(Refusal("mempool_full", "try again later")))
    async with client(lambda seat, request: busy) as each:
        with pytest.raises(Rejected, match="mempool_full"):
            await each.submit(b"tx")
