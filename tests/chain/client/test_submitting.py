"""Transactions, one and many."""

from __future__ import annotations

import httpx
import pytest

from salus_chain.client import submitting
from salus_chain.codec import decode
from salus_chain.errors import Rejected, Unreachable
from salus_chain.inspection import Batch, Submitted
from salus_chain.views import TxStatus, TxStatusName, to_json
from tests.chain.client.scripted import client


async def test_a_transaction_that_was_dropped_or_is_late_is_told() -> None:
    dropped = to_json(TxStatus("dropped", 0, "wrong_nonce", "because it is so"))
    async with client(lambda seat, request: httpx.Response(200, content=dropped)) as each:
        with pytest.raises(Rejected, match="wrong_nonce"):
            await each.wait_final(bytes(32), 1)
    pending = to_json(TxStatus("pending"))
    async with client(lambda seat, request: httpx.Response(200, content=pending)) as each:
        with pytest.raises(TimeoutError):
            await each.wait_final(bytes(32), 0)


def status(name: TxStatusName, height: int = 0) -> httpx.Response:
    return httpx.Response(200, content=to_json(TxStatus(name, height, "nonce_gap", "because it is so")))


async def test_submitting_and_waiting_is_one_request() -> None:
    asked: list[httpx.Request] = []

    def answer(seat: int, request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return status("final", 7)

    async with client(answer) as each:
        assert await each.submit_final(b"tx", 9) == 7
    (request,) = asked
    assert request.method == "POST" and request.content == b"tx" and float(request.url.params["wait_s"]) > 8


async def test_a_submission_goes_on_at_the_next_validator_when_one_goes_while_it_waits() -> None:
    asked: list[int] = []

    def answer(seat: int, request: httpx.Request) -> httpx.Response:
        asked.append(seat)
        if seat == 0:
            raise httpx.ReadError("gone")
        return status("pending") if len(asked) < 3 else status("final", 8)

    async with client(answer) as each:
        assert await each.submit_final(b"tx", 9) == 8
    assert asked == [0, 1, 1]


async def test_a_submission_that_is_dropped_or_late_is_told() -> None:
    async with client(lambda seat, request: status("dropped")) as each:
        with pytest.raises(Rejected, match="nonce_gap"):
            await each.submit_final(b"tx", 9)
    async with client(lambda seat, request: status("unknown")) as each:
        with pytest.raises(TimeoutError):
            await each.submit_final(b"tx", 0)


def batched(seat: int, request: httpx.Request) -> httpx.Response:
    """Refuses the empty ones."""
    assert request.headers["content-type"] == "application/cbor"
    rows = decode(request.content)
    assert isinstance(rows, tuple)
    results = tuple(Submitted(bytes(32)) if row else Submitted(None, "malformed", "empty") for row in rows)
    return httpx.Response(200, content=to_json(Batch(results)))


async def test_a_batch_tells_of_each_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "MAX_BATCH", 2)
    monkeypatch.setattr(submitting, "MAX_BATCH_BYTES", 3)
    async with client(batched) as each:
        results = await each.submit_batch([b"a", b"", b"b", b"cccc", b"dd"])
        assert [result.code for result in results] == ["", "malformed", "", "", ""]
        assert await each.submit_batch([]) == []


async def test_a_batch_answered_by_half_is_not_believed() -> None:
    half = httpx.Response(200, content=to_json(Batch((Submitted(bytes(32)),))))
    async with client(lambda seat, request: half) as each:
        with pytest.raises(Unreachable, match="2 transactions were handed over, 1 were answered"):
            await each.submit_batch([b"a", b"b"])
