"""The HTTP shell: what is refused, and how, before any handler is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from salus_chain.errors import DecodeError, Rejected
from salus_chain.node import web
from salus_chain.node.web import TEXT, Answer, App, Request, Route, Stream

Sent = list[dict[str, Any]]


class Told:
    """A service that remembers nothing but what it was asked."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.free = asyncio.Event()


async def echo(told: Told, request: Request) -> Answer:
    told.bodies.append(request.body)
    return Answer(request.rest.encode() + json.dumps(request.query).encode(), TEXT)


async def slow(told: Told, request: Request) -> Answer:
    await told.free.wait()
    return Answer(b"{}")


async def rejected(told: Told, request: Request) -> Answer:
    raise Rejected(request.query.get("code", "wrong_nonce"), "because it is so")


async def malformed(told: Told, request: Request) -> Answer:
    raise DecodeError("not canonical")


async def broken(told: Told, request: Request) -> Answer:
    raise RuntimeError("a secret of ours")


async def ticking(told: Told, request: Request) -> Stream:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"
        await told.free.wait()

    return Stream(chunks(), "text/event-stream")


ROUTES = (
    Route("GET", "/echo", echo, "", TEXT),
    Route("POST", "/echo", echo, "", TEXT, most_bytes=10),
    Route("GET", "/things/{name}", echo, "", TEXT),
    Route("GET", "/slow", slow, "", TEXT, timeout_s=0.01),
    Route("GET", "/waiting", slow, "", TEXT),
    Route("GET", "/rejected", rejected, "", TEXT),
    Route("GET", "/malformed", malformed, "", TEXT),
    Route("GET", "/broken", broken, "", TEXT),
    Route("GET", "/ticking", ticking, "", TEXT),
)


class Client:
    """Calls the application as a server does."""

    def __init__(self) -> None:
        self.told = Told()
        self.codes: list[str] = []
        self.app = App(self.told, ROUTES, self.codes.append)

    async def ask(
        self, method: str, path: str, *chunks: bytes, query: bytes = b"", length: int | None = None, cut: bool = False
    ) -> tuple[int, bytes, dict[bytes, bytes]]:
        sent: Sent = []
        parts = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        end = {"type": "http.disconnect"} if cut else {"type": "http.request", "body": b"", "more_body": False}
        messages = iter([*parts, end])

        async def receive() -> dict[str, Any]:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        headers = [] if length is None else [(b"content-length", str(length).encode())]
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query,
            "headers": headers,
            "client": ("10.0.0.1", 5),
        }
        await self.app(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], body, dict(sent[0]["headers"])

    async def refusal(self, method: str, path: str, *chunks: bytes, **more: Any) -> tuple[int, str]:
        status, body, headers = await self.ask(method, path, *chunks, **more)
        answer = json.loads(body)
        assert set(answer) == {"code", "reason"} and headers[b"content-type"] == b"application/json"
        assert self.codes[-1] == answer["code"]
        return status, answer["code"]


async def test_a_path_with_a_name_in_braces_takes_its_last_segment() -> None:
    client = Client()
    status, body, headers = await client.ask("GET", "/things/x-7", query=b"a=1&b=%20")
    assert (status, body) == (200, b'x-7{"a": "1", "b": " "}') and headers[b"content-length"] == b"23"


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("GET", "/nothing", (404, "unknown_path")),
        ("GET", "/things/", (405, "wrong_method")),
        ("DELETE", "/echo", (405, "wrong_method")),
        ("POST", "/things/x", (405, "wrong_method")),
        ("GET", "/rejected", (409, "wrong_nonce")),
        ("GET", "/malformed", (409, "malformed")),
        ("GET", "/slow", (503, "timeout")),
    ],
)
async def test_what_goes_wrong_is_told_with_a_code_and_a_reason(
    method: str, path: str, wanted: tuple[int, str]
) -> None:
    assert await Client().refusal(method, path) == wanted


async def test_an_error_of_ours_tells_nothing_of_itself() -> None:
    status, body, _ = await Client().ask("GET", "/broken")
    assert status == 500 and b"secret" not in body and json.loads(body)["code"] == "internal"


@pytest.mark.parametrize("code", sorted(web.LATER))
async def test_what_is_only_too_much_now_says_to_come_later(code: str) -> None:
    status, _, headers = await Client().ask("GET", "/rejected", query=f"code={code}".encode())
    assert status == 429 and headers[b"retry-after"] == b"1"


async def test_a_body_is_read_to_its_limit_and_no_further() -> None:
    client = Client()
    assert (await client.ask("POST", "/echo", b"12345", b"67890"))[0] == 200
    assert client.told.bodies == [b"1234567890"]
    assert await client.refusal("POST", "/echo", b"123456", b"78901") == (409, "too_large")
    assert await client.refusal("POST", "/echo", length=11) == (409, "too_large")
    assert await client.refusal("POST", "/echo", b"123", cut=True) == (400, "cut_off")
    assert len(client.told.bodies) == 1


async def test_all_bodies_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_HELD_BYTES", 8)
    client = Client()
    assert await client.refusal("POST", "/echo", b"123456789") == (503, "busy")
    assert (await client.ask("POST", "/echo", b"12345678"))[0] == 200  # what was refused is not held any more


async def test_one_address_has_so_many_requests_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_PER_CLIENT", 2)
    client = Client()
    waiting = [asyncio.create_task(client.ask("GET", "/waiting")) for _ in range(2)]
    await asyncio.sleep(0)
    assert await client.refusal("GET", "/echo") == (429, "too_many_requests")
    client.told.free.set()
    await asyncio.gather(*waiting)
    assert (await client.ask("GET", "/echo"))[0] == 200


class Reader:
    """A client of a stream that takes `takes` messages and then nothing, or goes."""

    def __init__(self, takes: int) -> None:
        self.takes, self.gone = takes, asyncio.Event()
        self.sent: Sent = []

    async def receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if len(self.sent) == self.takes:
            await asyncio.Event().wait()
        self.sent.append(message)

    async def read(self, client: Client) -> None:
        scope: dict[str, Any] = {
            "type": "http",
            "method": "GET",
            "path": "/ticking",
            "query_string": b"",
            "headers": [],
            "client": None,
        }
        await client.app(scope, self.receive, self.send)


async def test_a_stream_ends_when_its_client_goes_or_it_has_no_more() -> None:
    client, reader = Client(), Reader(9)
    reading = asyncio.create_task(reader.read(client))
    while len(reader.sent) < 3:
        await asyncio.sleep(0)
    reader.gone.set()
    await reading
    assert [message.get("body") for message in reader.sent[1:]] == [b"one", b"two"]
    client, reader = Client(), Reader(9)
    client.told.free.set()
    await reader.read(client)
    assert [message.get("body") for message in reader.sent[1:]] == [b"one", b"two", b""]


async def test_a_client_that_takes_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SLOW_CLIENT_S", 0.01)
    reader = Reader(2)
    await asyncio.wait_for(reader.read(Client()), 5)
    assert len(reader.sent) == 2
