"""What a validator says of itself."""

from __future__ import annotations

import httpx
import pytest

from salus_chain.errors import Rejected
from tests.chain.client.scripted import client
from tests.chain.federation import TASK


async def test_nothing_there_is_none() -> None:
    async with client(lambda seat, request: httpx.Response(404)) as each:
        assert await each.task(TASK) is None
        assert await each.round(TASK, 1) is None
        assert await each.gateway("gateway-0") is None
        assert await each.release(TASK) is None
        with pytest.raises(Rejected, match="not_settled"):
            await each.settlement_proof(TASK, 1)
