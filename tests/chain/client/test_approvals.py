"""Approvals."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from salus_chain import keys
from salus_chain.candidates import ModelCandidate
from salus_chain.codec import encode
from salus_chain.errors import Unreachable
from salus_chain.rules.transactions import (
    KINDS,
    STATEMENT_DOMAIN,
    ApproveModel,
    read_transaction,
    statement_bytes,
)
from salus_chain.views import Approval, to_json
from tests.chain.client.scripted import F, client
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, TASK, model_values

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
