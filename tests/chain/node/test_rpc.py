"""A validator's HTTP interface before a table of answers: what it asks of the service, and what it makes of that."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import Mock

import httpx
import pytest

from salus_chain.codec import encode
from salus_chain.errors import DecodeError, Rejected
from salus_chain.inspection import Event, Names, Submitted
from salus_chain.node.clients import Service
from salus_chain.node.refusals import LATER
from salus_chain.node.rpc import create_app
from salus_chain.node.samples import SAMPLES
from salus_chain.rules.transactions import MAX_TX_BYTES
from salus_chain.signing import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER
from salus_chain.views import Status, TxStatus, from_json

HASH = bytes(range(32))


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


async def test_a_transaction_gets_its_id_or_once_final_its_status() -> None:
    validator = Validator()
    validator.service.submit.return_value = HASH
    validator.service.transaction.return_value = TxStatus("final", 12)
    answer = await validator.ask("POST", "/transactions", content=b"tx")
    assert (answer.content, answer.headers["content-type"]) == (HASH, "application/octet-stream")
    answer = await validator.ask("POST", "/transactions?wait_s=2", content=b"tx", headers={"content-type": "text/html"})
    assert from_json(answer.content, TxStatus) == TxStatus("final", 12)
    validator.service.transaction.assert_awaited_once_with(HASH, 2.0)
    assert await validator.refusal("POST", "/transactions", content=bytes(MAX_TX_BYTES + 1)) == (409, "too_large")


@pytest.mark.parametrize(
    ("content", "kind"),
    [(encode((b"one", b"two")), "application/cbor"), (b'["6f6e65", "0x74776f"]', "application/json; charset=utf-8")],
)
async def test_a_batch_is_cbor_or_json(content: bytes, kind: str) -> None:
    validator = Validator()
    validator.service.submit_batch.return_value = (Submitted(HASH), Submitted(None, "wrong_nonce", "because"))
    answer = await validator.ask("POST", "/transactions/batch", content=content, headers={"content-type": kind})
    validator.service.submit_batch.assert_called_once_with((b"one", b"two"))
    assert [each["code"] for each in answer.json()["results"]] == ["", "wrong_nonce"]


@pytest.mark.parametrize("content", [b'["6f6"]', b'["6f 6e"]', b"[7]", b"{", json.dumps(["00"] * 5_001).encode()])
async def test_what_is_no_batch_is_malformed(content: bytes) -> None:
    headers = {"content-type": "application/json"}
    wanted = 409, "malformed"
    assert await Validator().refusal("POST", "/transactions/batch", content=content, headers=headers) == wanted


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


async def test_what_is_not_there_is_404_with_a_code() -> None:
    validator = Validator()
    validator.service.gateway.return_value = None
    assert await validator.refusal("GET", "/gateway?gateway=ward-7") == (404, "not_found")


async def test_a_blob_is_asked_for_with_the_headers_of_its_reader() -> None:
    validator = Validator()
    validator.service.blob.return_value = b"bytes"
    headers = {KEY_HEADER: "02", TIME_HEADER: "5", SIGNATURE_HEADER: "0xabCD"}
    assert (await validator.ask("GET", f"/blobs/{HASH.hex()}", headers=headers)).content == b"bytes"
    validator.service.blob.assert_awaited_once_with(HASH, b"\x02", 5, b"\xab\xcd")


async def test_readiness_is_a_status_code() -> None:
    validator = Validator()
    validator.service.unready.return_value = "behind by 5 blocks"
    assert await validator.refusal("GET", "/ready") == (503, "not_ready")
    validator.service.unready.return_value = ""
    validator.service.status.return_value = SAMPLES[Status]
    assert from_json((await validator.ask("GET", "/ready")).content, Status) == SAMPLES[Status]


@pytest.mark.parametrize(
    ("query", "headers", "after"),
    [("", {}, (12, -1)), ("?after=3", {}, (4, -1)), ("?after=3", {"Last-Event-ID": "7-2"}, (7, 2))],
)
async def test_events_are_written_as_a_reader_resumes(
    query: str, headers: dict[str, str], after: tuple[int, int]
) -> None:
    async def batches(height: int, position: int) -> AsyncIterator[tuple[Event, ...]]:
        yield (Event("12-0", "block", 12, {"transactions": 1}),)
        yield ()

    validator = Validator()
    validator.service.status.return_value = SAMPLES[Status]
    validator.service.events = Mock(side_effect=batches)
    answer = await validator.ask("GET", f"/events{query}", headers=headers)
    validator.service.events.assert_called_once_with(*after)
    assert answer.headers["content-type"] == "text/event-stream" and answer.headers["cache-control"] == "no-store"
    retry, event, heartbeat, end = answer.text.split("\n\n")
    assert (retry, heartbeat, end) == ("retry: 1000", ": still here", "")
    assert event.split("\n")[:2] == ["id: 12-0", "event: block"]
    assert json.loads(event.split("data: ")[1])["height"] == 12


async def test_the_document_shows_each_path_parameter_view_and_refusal() -> None:
    validator = Validator()
    validator.service.tasks.return_value = Names(())
    document = (await validator.ask("GET", "/openapi.json")).json()
    operations = {
        f"{method.upper()} {path}": each
        for path, methods in document["paths"].items()
        for method, each in methods.items()
    }
    assert len(operations) == 30 and len({each["operationId"] for each in operations.values()}) == 30
    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    for name, each in operations.items():
        assert each["description"] and each["responses"]["200"]["content"], name
        assert each["responses"]["default"]["content"] == refusal, name
        assert ("requestBody" in each) == name.startswith("POST"), name
        assert "422" not in each["responses"], name
    parameters = {each["name"]: each for each in operations["GET /blobs/{digest}"]["parameters"]}
    assert parameters.keys() == {"digest", KEY_HEADER, TIME_HEADER, SIGNATURE_HEADER}
    assert parameters["digest"]["schema"]["pattern"] == "^(0x)?([0-9a-fA-F]{2}){32}$"
    schemas = document["components"]["schemas"]
    assert all("examples" in schemas[view.__name__] for view in SAMPLES)
    assert schemas["TaskView"]["properties"]["model_digest"]["pattern"] == "^0x([0-9a-f]{2})*$"
    assert "binary" not in json.dumps(schemas)
