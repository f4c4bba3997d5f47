"""Validators that answer as a test says: they lie, refuse or are gone. The honest ones are in test_network."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from salus_chain.client import ChainClient
from salus_chain.updates import decode_update, update_digest
from salus_chain.views import TxStatus, to_json
from tests.chain.federation import federation

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
