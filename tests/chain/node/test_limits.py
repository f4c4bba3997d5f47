"""What a client may not ask of a validator, whatever the route."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from salus_chain.node.http import limits
from salus_chain.node.http.limits import Limits
from salus_chain.node.http.refusals import Refusals


class Client:
    """Calls, as a server does, an application behind limits that echoes, waits, breaks or streams."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.codes: list[str] = []
        self.free = asyncio.Event()
        self.app = Limits(self.answer, {"/echo": 10}, Refusals(self.codes.append))

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["path"]:
            case "/waiting":
                await self.free.wait()
            case "/broken":
                raise RuntimeError("a secret of ours")
            case "/ticking":
                await StreamingResponse(self.ticks())(scope, receive, send)
                return
            case "/echo":
                self.bodies.append((await receive())["body"])
        await Response(b"done")(scope, receive, send)

    async def ticks(self) -> Any:
        yield b"one"
        yield b"two"
        await self.free.wait()

    async def ask(
        self, path: str, *chunks: bytes, length: int | None = None, cut: bool = False
    ) -> tuple[int, bytes, dict[bytes, bytes]]:
        sent: list[Message] = []
        parts = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        end = {"type": "http.disconnect"} if cut else {"type": "http.request", "body": b"", "more_body": False}
        messages = iter([*parts, end])

        async def receive() -> Message:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: Message) -> None:
            sent.append(message)

        await self.app(scope("POST", path, length), receive, send)
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], body, dict(sent[0]["headers"])

    async def refusal(self, path: str, *chunks: bytes, **more: Any) -> tuple[int, str]:
        status, body, headers = await self.ask(path, *chunks, **more)
        answer = json.loads(body)
        assert set(answer) == {"code", "reason"} and headers[b"content-type"] == b"application/json"
        assert self.codes[-1] == answer["code"]
        return status, answer["code"]


def scope(method: str, path: str, length: int | None = None) -> Scope:
    headers = [] if length is None else [(b"content-length", str(length).encode())]
    return {"type": "http", "method": method, "path": path, "headers": headers, "client": ("10.0.0.1", 5)}


async def test_a_body_is_read_to_its_limit_and_no_further() -> None:
    client = Client()
    assert (await client.ask("/echo", b"12345", b"67890"))[0] == 200
    assert client.bodies == [b"1234567890"]
    assert await client.refusal("/echo", b"123456", b"78901") == (409, "too_large")
    assert await client.refusal("/echo", length=11) == (409, "too_large")
    assert await client.refusal("/echo", b"123", cut=True) == (400, "cut_off")
    assert len(client.bodies) == 1


async def test_all_bodies_together_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_HELD_BYTES", 8)
    client = Client()
    assert await client.refusal("/echo", b"123456789") == (503, "busy")
    assert (await client.ask("/echo", b"12345678"))[0] == 200  # what was refused is not held any more


async def test_one_address_has_so_many_requests_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PER_CLIENT", 2)
    client = Client()
    waiting = [asyncio.create_task(client.ask("/waiting")) for _ in range(2)]
    await asyncio.sleep(0)
    assert await client.refusal("/echo") == (429, "too_many_requests")
    client.free.set()
    await asyncio.gather(*waiting)
    assert (await client.ask("/echo"))[0] == 200


async def test_an_answer_begins_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ANSWER_TIMEOUT_S", 0.01)
    assert await Client().refusal("/waiting") == (503, "timeout")


async def test_a_body_comes_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_TIMEOUT_S", 0.01)
    client, reader = Client(), Reader(9)
    await client.app(scope("POST", "/echo"), reader.receive, reader.send)
    assert reader.sent[0]["status"] == 503 and client.codes == ["timeout"]


async def test_an_error_of_ours_tells_nothing_of_itself() -> None:
    status, body, _ = await Client().ask("/broken")
    assert status == 500 and b"secret" not in body and json.loads(body)["code"] == "internal"


class Reader:
    """A client that takes `takes` messages and then nothing, or goes."""

    def __init__(self, takes: int) -> None:
        self.takes, self.gone = takes, asyncio.Event()
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.sent) == self.takes:
            await asyncio.Event().wait()
        self.sent.append(message)

    async def read(self, client: Client) -> None:
        await client.app(scope("GET", "/ticking"), self.receive, self.send)


async def test_a_stream_ends_when_its_client_goes_or_it_has_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ANSWER_TIMEOUT_S", 0.05)
    client, reader = Client(), Reader(9)
    reading = asyncio.create_task(reader.read(client))
    await asyncio.wait({reading}, timeout=0.2)
    assert [message.get("body") for message in reader.sent[1:]] == [b"one", b"two"] and not reading.done()
    reader.gone.set()
    await reading
    client, reader = Client(), Reader(9)
    client.free.set()
    await reader.read(client)
    assert [message.get("body") for message in reader.sent[1:]] == [b"one", b"two", b""]


async def test_a_client_that_takes_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SLOW_CLIENT_S", 0.01)
    reader = Reader(2)
    await asyncio.wait_for(reader.read(Client()), 5)
    assert len(reader.sent) == 2
