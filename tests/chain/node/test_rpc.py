"""The HTTP interface over a table of answers, and its document against what is really answered."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
from fastapi.routing import APIRoute

from salus_chain.codec import encode
from salus_chain.inspection import Batch, BlockView, Event
from salus_chain.node.http.media import CBOR, JSON
from salus_chain.node.http.routes import proving, reading, submitting, watching
from salus_chain.node.http.rpc import create_app
from salus_chain.node.http.samples import SAMPLES
from salus_chain.signing import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER
from salus_chain.views import Approval, Refusal, TxStatus, from_json, to_json
from tests.chain.node.asked import BLOCK, CERTIFICATE, ID, Asked, Table


async def test_a_submission_gives_its_id_or_waits_for_the_end() -> None:
    asked = Asked()
    assert (await asked.http.post("/transactions", content=b"tx")).content == sha256(b"tx").digest()
    answer = await asked.http.post("/transactions?wait_s=2.5", content=b"tx")
    assert from_json(answer.content, TxStatus) == TxStatus("final", 12)
    assert asked.table.asked[-1] == (sha256(b"tx").digest(), 2.5)
    refused = await asked.http.post("/transactions?wait_s=2.5", content=b"bad")
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_nonce")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(encode((b"a", b"b")), CBOR), (b'["61", "0x62"]', JSON), (b'["61", "62"]', JSON + "; charset=utf-8")],
)
async def test_a_batch_is_cbor_or_json(content: bytes, media_type: str) -> None:
    asked = Asked()
    answer = await asked.http.post("/transactions/batch", content=content, headers={"content-type": media_type})
    assert len(from_json(answer.content, Batch).results) == 2
    assert asked.table.asked == [(b"a", b"b")]


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b"junk", CBOR), (encode((1,)), CBOR), (b"{", JSON), (b'["6"]', JSON), (b"[1]", JSON), (b"[" * 9_999, JSON)],
)
async def test_what_is_no_batch_is_refused(content: bytes, media_type: str) -> None:
    asked = Asked()
    answer = await asked.http.post("/transactions/batch", content=content, headers={"content-type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (409, "malformed") and not asked.table.asked


async def test_a_block_comes_as_json_or_as_the_bytes_that_are_signed() -> None:
    asked, path = Asked(), f"/blocks/{BLOCK.header.height}"
    view = from_json((await asked.get(path)).content, BlockView)
    assert view.digest == BLOCK.digest and view.seals == (0, 1, 2)
    assert (view.transactions[0].id, view.transactions[0].body) == (ID, {"gateway": "gateway-0"})
    answer = await asked.get(path, headers={"accept": CBOR})
    assert answer.content == encode((BLOCK.value(), CERTIFICATE.value()))


GIVEN: dict[str, str] = {
    "/task?task=activity": "TaskView",
    "/round?task=activity&round=3": "RoundView",
    "/rounds?task=activity": "RoundList",
    "/report?task=activity&round=3": "ReportView",
    "/gateway?gateway=ward-7": "GatewayView",
    f"/consents/{ID.hex()}": "ConsentView",
    "/status": "Status",
    "/wait?above=3&timeout_s=0": "Status",
    "/tasks": "Names",
    "/gateways": "Names",
    "/blocks?from=2&limit=3": "BlockList",
    "/validators": "ValidatorsView",
    "/ready": "Status",
    "/health": "Health",
    f"/transactions/{ID.hex()}": "TxStatus",
}


@pytest.mark.parametrize("path", GIVEN)
async def test_what_is_answered_is_what_the_document_says(path: str) -> None:
    answer = await Asked().get(path)
    assert answer.status_code == 200, answer.text
    kind = next(kind for kind in SAMPLES if kind.__name__ == GIVEN[path])
    assert from_json(answer.content, kind)
    template = path.partition("?")[0].replace(ID.hex(), "{consent}" if "consents" in path else "{id}")
    reference = create_app(Table()).openapi()["paths"][template]["get"]["responses"]["200"]["content"][JSON]["schema"][
        "$ref"
    ]
    assert reference.rpartition("/")[2] == GIVEN[path]


@pytest.mark.parametrize(
    "path",
    [
        "/task?task=fall",
        "/round?task=activity&round=9",
        "/rounds?task=fall",
        "/report?task=activity&round=9",
        "/gateway?gateway=nobody",
        "/consents/" + "00" * 32,
        "/blocks/999",
        "/blobs/" + "00" * 32,
        "/proofs/settlement?task=activity&round=9",
        "/proofs/update?task=activity&round=3&gateway=nobody",
        "/proofs/release?task=fall",
        "/proofs/model?task=fall",
        "/proofs/withdrawal?consent=" + "00" * 32,
    ],
)
async def test_what_there_is_not_is_404_with_a_reason(path: str) -> None:
    answer = await Asked().get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/task",
        "/round?task=activity",
        "/round?task=activity&round=x",
        "/round?task=activity&round=-1",
        "/wait?above=1&timeout_s=31",
        "/wait?above=1&timeout_s=nan",
        "/wait?above=1",
        "/blocks/first",
        "/blocks?limit=101",
        "/blocks?from=0",
        "/blocks/" + "9" * 20,
        "/blobs/00",
        "/nonces/zz",
        "/consents/0x",
        "/transactions/12",
        "/events?after=x",
    ],
)
async def test_a_parameter_that_is_wrong_is_named(path: str) -> None:
    answer = await Asked().get(path)
    assert (answer.status_code, answer.json()["code"]) == (409, "malformed")


async def test_proofs_blobs_and_the_rest_are_bytes() -> None:
    asked = Asked()
    for path, body in {
        "/proofs/settlement?task=activity&round=3": b"settlement",
        "/proofs/update?task=activity&round=3&gateway=ward-7": b"update",
        "/proofs/release?task=activity": b"release",
        "/proofs/model?task=activity": b"model",
        "/proofs/members": b"members",
        f"/proofs/withdrawal?consent={ID.hex()}": b"withdrawal",
        f"/blobs/{ID.hex()}": b"blob",
        f"/nonces/{(bytes(33)).hex()}": b"7",
        "/metrics": b"salus_height 12\n",
    }.items():
        answer = await asked.get(path)
        assert (answer.status_code, answer.content) == (200, body), path
    headers = {"x-salus-key": "aa" * 33, "x-salus-time-ms": "5", "x-salus-signature": "bb" * 64}
    await asked.get(f"/blobs/{ID.hex()}", headers=headers)
    assert asked.table.asked[-1] == (b"\xaa" * 33, 5, b"\xbb" * 64)
    receipt = await asked.http.post("/updates", content=b"update", headers=headers)
    assert receipt.content == encode((bytes(33), bytes(64))) and asked.table.asked[-1] == (b"update", b"\xbb" * 64)
    approval = await asked.http.post("/approvals", content=b"candidate")
    assert from_json(approval.content, Approval) == SAMPLES[Approval]


@pytest.mark.parametrize(
    ("query", "headers", "begun"),
    [("?after=4", {}, (5, -1)), ("", {}, (12, -1)), ("?after=4", {"last-event-id": "9-2"}, (9, 2))],
)
async def test_events_begin_where_the_client_stopped(
    query: str, headers: dict[str, str], begun: tuple[int, int]
) -> None:
    asked = Asked()
    answer = await asked.get("/events" + query, headers=headers)
    assert asked.table.asked == [begun] and answer.headers["content-type"] == "text/event-stream"
    retry, event, heartbeat, _ = answer.text.split("\n\n")
    assert (retry, heartbeat) == ("retry: 1000", ": still here")
    fields = dict(line.split(": ", 1) for line in event.split("\n"))
    assert fields["id"] == f"{begun[0]}-0" and fields["event"] == "block"
    assert from_json(fields["data"].encode(), Event).data == {"digest": ID}


async def test_a_validator_that_is_not_ready_says_why() -> None:
    asked = Asked()
    asked.table.reason = "no quorum: height 12, round 3: hospital-2 does not answer"
    answer = await asked.get("/ready")
    assert answer.status_code == 503
    assert from_json(answer.content, Refusal) == Refusal("not_ready", asked.table.reason)
    assert (await asked.get("/health")).json() == {"status": "alive"}


async def test_the_document_holds_every_route_with_an_example_that_is_one() -> None:
    made = json.loads((await Asked().get("/openapi.json")).content)
    routers = (submitting.router, reading.router, proving.router, watching.router)
    routes = [route for router in routers for route in router.routes if isinstance(route, APIRoute)]
    assert {(method.upper(), path) for path, each in made["paths"].items() for method in each} == {
        (method, route.path) for route in routes for method in route.methods or ()
    }
    schemas = made["components"]["schemas"]
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            named = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert ("requestBody" in operation) == (method == "post") and "422" not in operation["responses"]
            for response in operation["responses"].values():
                for content in response["content"].values():
                    name = content["schema"].get("$ref", "").rpartition("/")[2]
                    assert not name or ("properties" in schemas[name] and "examples" in schemas[name])
            assert operation["responses"]["default"]["content"][JSON]["schema"]["$ref"].endswith("/Refusal")


def test_the_document_writes_byte_strings_as_we_do() -> None:
    made = create_app(Table()).openapi()
    schemas = made["components"]["schemas"]
    assert schemas["TaskView"]["properties"]["model_digest"]["pattern"] == "^0x([0-9a-f]{2})*$"
    assert not {"binary", "contentMediaType"} & set(json.dumps(schemas).split('"'))
    digest, *headers = made["paths"]["/blobs/{digest}"]["get"]["parameters"]
    assert digest["schema"]["pattern"] == "^(0x)?([0-9a-fA-F]{2}){32}$"
    assert {each["name"] for each in headers} == {KEY_HEADER, TIME_HEADER, SIGNATURE_HEADER}


def test_each_example_is_one() -> None:
    for kind, sample in SAMPLES.items():
        assert from_json(to_json(sample), kind) == sample
