"""What is refused, and how, whichever route is asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from salus_chain.errors import Damaged, DecodeError, Rejected
from salus_chain.node.http.clients import Service
from salus_chain.node.http.refusals import LATER
from salus_chain.node.http.rpc import create_app
from salus_chain.rules.transactions import MAX_TX_BYTES


@dataclass(slots=True)
class Validator:
    """An application, the service that it asks, and the codes of what it refused."""

    service: Any = field(default_factory=lambda: Mock(spec=Service))
    codes: list[str] = field(default_factory=list)

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(create_app(self.service, self.codes.append))
        async with httpx.AsyncClient(transport=transport, base_url="http://validator") as http:
            return await http.request(method, path, **more)

    async def refusal(self, method: str, path: str, **more: Any) -> tuple[int, str]:
        answer = await self.ask(method, path, **more)
        refusal = answer.json()
        assert set(refusal) == {"code", "reason"} and answer.headers["content-type"] == "application/json"
        assert self.codes == [refusal["code"]] and refusal["reason"]
        return answer.status_code, refusal["code"]


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("GET", "/nothing", (404, "unknown_path")),
        ("GET", "/tasks/", (404, "unknown_path")),
        ("DELETE", "/tasks", (405, "wrong_method")),
        ("GET", "/updates", (405, "wrong_method")),
        ("POST", "/blobs/00", (405, "wrong_method")),
        ("GET", "/blobs/00", (409, "malformed")),
        ("GET", f"/nonces/{'zz' * 33}", (409, "malformed")),
        ("GET", "/round?task=activity", (409, "malformed")),
        ("GET", "/round?task=&round=1", (409, "malformed")),
        ("GET", "/round?task=activity&round=-1", (409, "malformed")),
        ("GET", f"/round?task=activity&round={1 << 63}", (409, "malformed")),
        ("GET", "/wait?above=-2&timeout_s=1", (409, "malformed")),
        ("GET", "/wait?above=1&timeout_s=31", (409, "malformed")),
        ("GET", "/wait?above=1&timeout_s=nan", (409, "malformed")),
        ("GET", "/blocks?limit=101", (409, "malformed")),
        ("GET", "/blocks?from=0", (409, "malformed")),
        ("POST", "/transactions?wait_s=later", (409, "malformed")),
    ],
)
async def test_a_request_that_is_not_as_documented_asks_nothing(
    method: str, path: str, wanted: tuple[int, str]
) -> None:
    validator = Validator()
    assert await validator.refusal(method, path) == wanted
    assert not validator.service.mock_calls


async def test_a_refusal_names_the_parameter() -> None:
    answer = await Validator().ask("GET", "/round?task=activity&round=x")
    assert answer.json()["reason"].startswith("round: ")


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (Rejected("wrong_nonce", "because it is so"), (409, "wrong_nonce")),
        (DecodeError("not canonical"), (409, "malformed")),
        (TimeoutError(), (503, "timeout")),
        (Damaged("chain.sqlite: block 7 is damaged"), (503, "damaged")),
        (RuntimeError("a secret of ours"), (500, "internal")),
    ],
)
async def test_what_goes_wrong_is_told_with_a_code_and_a_reason(error: Exception, wanted: tuple[int, str]) -> None:
    validator = Validator()
    validator.service.tasks.side_effect = error
    assert await validator.refusal("GET", "/tasks") == wanted


@pytest.mark.parametrize("code", sorted(LATER))
async def test_what_is_only_too_much_now_says_to_come_later(code: str) -> None:
    validator = Validator()
    validator.service.submit.side_effect = Rejected(code, "not now")
    answer = await validator.ask("POST", "/transactions", content=b"tx")
    assert answer.status_code == 429 and answer.headers["retry-after"] == "1"


async def test_a_body_is_limited_by_its_path() -> None:
    content = bytes(MAX_TX_BYTES + 1)
    assert await Validator().refusal("POST", "/transactions", content=content) == (409, "too_large")
