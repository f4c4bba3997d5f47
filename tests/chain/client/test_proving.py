"""Proofs."""

from __future__ import annotations

import httpx
import pytest

from salus_chain.errors import ProofError
from tests.chain.client.scripted import client
from tests.chain.federation import TASK
from tests.chain.light.trail import PROOF


async def test_a_settlement_is_believed_by_its_proof_alone() -> None:
    async with client(lambda seat, request: httpx.Response(200, content=PROOF)) as each:
        settlement = await each.settlement(TASK, 1)
        assert settlement.round == 1 and set(settlement.commits) == {f"gateway-{n}" for n in range(3)}
        with pytest.raises(ProofError, match="not the settlement of task activity, round 2"):
            await each.settlement(TASK, 2)
    async with client(lambda seat, request: httpx.Response(200, content=PROOF[:-1] + b"\0")) as each:
        with pytest.raises(ProofError):
            await each.settlement(TASK, 1)
