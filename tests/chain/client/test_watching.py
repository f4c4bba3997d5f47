"""Events across validators that come and go."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from salus_chain.client import watching
from salus_chain.errors import Unreachable
from salus_chain.inspection import Event
from salus_chain.views import Status, to_json
from tests.chain.client.scripted import F, client


def event(height: int, position: int = 0) -> bytes:
    made = Event(f"{height}-{position}", "block", height, {"digest": bytes(32)})
    return b"id: " + made.id.encode() + b"\nevent: block\ndata: " + to_json(made) + b"\n\n"


def told(*parts: bytes) -> httpx.Response:
    return httpx.Response(200, content=b"retry: 1000\n\n" + b": still here\n\n".join(parts))


async def test_events_go_on_at_the_next_validator_after_the_last_one_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PAUSE_S", 0.0)
    asked: list[tuple[int, str | None]] = []

    def answer(seat: int, request: httpx.Request) -> httpx.Response:
        asked.append((seat, request.headers.get("last-event-id")))
        if seat == 0 and len(asked) > 1:
            raise httpx.ConnectError("gone")
        return told(event(5), event(5, 1)) if seat == 0 else told(event(6))

    async with client(answer) as each:
        events = each.events(after=4)
        seen = [await anext(events) for _ in range(3)]
        await events.aclose()
    assert [one.id for one in seen] == ["5-0", "5-1", "6-0"] and seen[0].data == {"digest": bytes(32)}
    assert asked == [(0, None), (0, "5-1"), (1, "5-1")]


async def test_events_begin_after_the_height_of_now() -> None:
    def answer(seat: int, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/status":
            return httpx.Response(200, content=to_json(Status("hospital", F.genesis.chain_id, 7, 8)))
        return told(event(int(request.url.params["after"]) + 1))

    async with client(answer) as each:
        events = each.events()
        assert (await anext(events)).height == 8
        await events.aclose()


async def test_nobody_who_tells_is_said_so() -> None:
    async with client(lambda seat, request: httpx.Response(503)) as each:
        with pytest.raises(Unreachable, match="no validator tells of events"):
            await anext(each.events(after=1))


async def test_events_that_are_none_are_not_told() -> None:
    async with client(lambda seat, request: httpx.Response(200, content=b'data: {"id": 7}\n\n')) as each:
        events = asyncio.ensure_future(anext(each.events(after=1)))
        done, _ = await asyncio.wait([events], timeout=0.2)
        assert not done
        events.cancel()
