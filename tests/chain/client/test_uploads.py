"""Receipts and bytes."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from salus_chain.codec import encode
from salus_chain.errors import Unreachable
from salus_chain.rules.transactions import (
    Receipt,
    sign_receipt,
)
from tests.chain.client.scripted import DIGEST, HEADER, UPDATE, Answer, F, client
from tests.chain.federation import MODEL, MODEL_DIGEST, model_values, signer


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


async def test_a_blob_is_taken_only_when_its_bytes_are_right() -> None:
    def answer(seat: int, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=MODEL if seat == 3 else b"forged") if seat else httpx.Response(404)

    async with client(answer) as each:
        assert (await each.model(MODEL_DIGEST)).tolist() == model_values().tolist()
        with pytest.raises(Unreachable, match="no validator has blob"):
            await each.blob(bytes(32))
