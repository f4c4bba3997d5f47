"""The client against validators that lie, refuse or are gone; the honest ones are in test_network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from salus_chain import keys
from salus_chain.candidates import ModelCandidate
from salus_chain.client import ChainClient
from salus_chain.codec import encode
from salus_chain.errors import ProofError, Rejected, Unreachable
from salus_chain.rules.transactions import (
    KINDS,
    STATEMENT_DOMAIN,
    ApproveModel,
    Receipt,
    read_transaction,
    sign_receipt,
    statement_bytes,
)
from salus_chain.updates import decode_update, update_digest
from salus_chain.views import Approval, Status, TxStatus, to_json
from tests.chain.federation import LAYOUT, MODEL, MODEL_DIGEST, PROGRAM, TASK, federation, model_values, signer
from tests.chain.light.trail import EARLY_MEMBERS, MEMBERS, PROOF

F = federation()
UPDATE = F.update(F.opened(F.enrolled()), 0)
DIGEST = update_digest(UPDATE)
HEADER = decode_update(UPDATE)[0]
Answer = Callable[[int, httpx.Request], httpx.Response]


def client(answer: Answer, members: Answer | None = None) -> ChainClient:
    """`answer` gets the seat that is asked; who takes part is answered apart, by default that there is no block."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/proofs/members":
            return members(request.url.port or 0, request) if members else httpx.Response(404)
        return answer(request.url.port - 8000 if request.url.port else -1, request)

    return ChainClient(F.genesis, transport=httpx.MockTransport(handle))


def refusal(code: str) -> httpx.Response:
    return httpx.Response(409, content=to_json(TxStatus("dropped", 0, code, "because it is so")))


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


async def test_only_receipts_that_verify_count() -> None:
    good = [sign_receipt(validator, HEADER, DIGEST) for validator in F.validators]
    wrong = {
        0: sign_receipt(signer(99), HEADER, DIGEST),
        1: replace(good[1], signature=bytes(64)),
        2: sign_receipt(F.validators[2], replace(HEADER, weight=HEADER.weight + 1), DIGEST),
    }

    def give(receipts: dict[int, Receipt]) -> Answer:
        return lambda seat, request: httpx.Response(200, content=encode(receipts[seat].value()))

    async with client(give({**dict(enumerate(good)), **wrong})) as each:
        with pytest.raises(Unreachable, match="1 of 2 receipts"):
            await each.put_update(UPDATE, F.gateway(0))
    async with client(give(dict(enumerate(good)))) as each:
        receipts = await each.put_update(UPDATE, F.gateway(0))
    assert len(receipts) >= 2 and list(receipts) == sorted(receipts, key=lambda receipt: receipt.public_key)


async def test_a_refusal_is_told_with_its_code() -> None:
    async with client(lambda seat, request: refusal("wrong_shape")) as each:
        with pytest.raises(Rejected, match="wrong_shape"):
            await each.put_update(UPDATE, F.gateway(0))
        with pytest.raises(Rejected, match="wrong_shape"):
            await each.submit(b"tx")


async def test_a_blob_is_taken_only_when_its_bytes_are_right() -> None:
    def answer(seat: int, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=MODEL if seat == 3 else b"forged") if seat else httpx.Response(404)

    async with client(answer) as each:
        assert (await each.model(MODEL_DIGEST)).tolist() == model_values().tolist()
        with pytest.raises(Unreachable, match="no validator has blob"):
            await each.blob(bytes(32))


async def test_a_settlement_is_believed_by_its_proof_alone() -> None:
    async with client(lambda seat, request: httpx.Response(200, content=PROOF)) as each:
        settlement = await each.settlement(TASK, 1)
        assert settlement.round == 1 and set(settlement.commits) == {f"gateway-{n}" for n in range(3)}
        with pytest.raises(ProofError, match="not the settlement of task activity, round 2"):
            await each.settlement(TASK, 2)
    async with client(lambda seat, request: httpx.Response(200, content=PROOF[:-1] + b"\0")) as each:
        with pytest.raises(ProofError):
            await each.settlement(TASK, 1)


CANDIDATE = ModelCandidate(TASK, LAYOUT.to_json(), PROGRAM, model_values().tobytes())
BODY = ApproveModel(TASK, 1, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST)


def approval(seat: int, body: ApproveModel = BODY, signed: ApproveModel | None = None) -> httpx.Response:
    message = statement_bytes(F.genesis.chain_id, F.genesis.keys, signed or body)
    signature = F.validators[seat].sign(STATEMENT_DOMAIN, message)
    kind = int(KINDS[ApproveModel])
    return httpx.Response(200, content=to_json(Approval(seat, kind, encode(body.value()), signature)))


async def test_a_quorum_of_equal_approvals_makes_a_transaction() -> None:
    other = replace(BODY, sequence=9)

    def answer(seat: int, request: httpx.Request) -> httpx.Response:
        return approval(seat, other if seat == 0 else BODY)

    async with client(answer) as each:
        tx = read_transaction(await each.approve(CANDIDATE))
    assert tx.body == BODY and [seal.seat for seal in tx.seals] == [1, 2, 3]
    assert all(keys.is_public_key(F.genesis.keys[seal.seat]) for seal in tx.seals)


@pytest.mark.parametrize("lie", ["another body", "another model", "another seat"])
async def test_false_approvals_do_not_count(lie: str) -> None:
    def answer(seat: int, request: httpx.Request) -> httpx.Response:
        if seat > 1:
            return approval(seat)
        if lie == "another body":
            return approval(seat, BODY, signed=replace(BODY, sequence=2))
        if lie == "another model":
            return approval(seat, replace(BODY, model_digest=bytes(32)))
        return approval(2)

    async with client(answer) as each:
        with pytest.raises(Unreachable, match="2 of 3 approvals"):
            await each.approve(CANDIDATE)


async def test_a_transaction_that_was_dropped_or_is_late_is_told() -> None:
    dropped = to_json(TxStatus("dropped", 0, "wrong_nonce", "because it is so"))
    async with client(lambda seat, request: httpx.Response(200, content=dropped)) as each:
        with pytest.raises(Rejected, match="wrong_nonce"):
            await each.wait_final(bytes(32), 1)
    pending = to_json(TxStatus("pending"))
    async with client(lambda seat, request: httpx.Response(200, content=pending)) as each:
        with pytest.raises(TimeoutError):
            await each.wait_final(bytes(32), 0)


async def test_nothing_there_is_none() -> None:
    async with client(lambda seat, request: httpx.Response(404)) as each:
        assert await each.task(TASK) is None
        assert await each.round(TASK, 1) is None
        assert await each.gateway("gateway-0") is None
        assert await each.release(TASK) is None
        with pytest.raises(Rejected, match="not_settled"):
            await each.settlement_proof(TASK, 1)


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
