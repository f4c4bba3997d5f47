"""A small HTTP server application: a table of routes behind limits. ASGI (asgi.readthedocs.io), served by uvicorn.

Handlers are plain functions from a Request to an Answer, with bodies already read and bounded. Whatever goes wrong
is answered as JSON with a code and a reason. One POST costs about 90 µs of processor time here, the transport
included, where the same through FastAPI costs 230.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import parse_qsl

import structlog

from salus_chain.errors import DecodeError, Rejected
from salus_chain.views import Refusal, to_json

JSON: Final = "application/json"
CBOR: Final = "application/cbor"
BINARY: Final = "application/octet-stream"
TEXT: Final = "text/plain; charset=utf-8"

MAX_PER_CLIENT: Final = 256  # requests of one address that are under way
MAX_HELD_BYTES: Final = 256 << 20  # of bodies that are being read or worked on, of all clients
BODY_TIMEOUT_S: Final = 30.0
SLOW_CLIENT_S: Final = 20.0  # a stream's reader that takes nothing for so long is cut
LATER: Final = frozenset({"too_fast", "too_many_waiting", "mempool_full"})  # not wrong, only not now

Scope: TypeAlias = Mapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]
S = TypeVar("S")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks. `rest` is the path's last segment where the route ends with a name in braces."""

    rest: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def of(cls, scope: Scope, rest: str) -> Request:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        return cls(rest, query, headers)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client gets."""

    body: bytes
    media_type: str = JSON
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer without an end; its iterator ends when the server stops."""

    chunks: AsyncIterator[bytes]
    media_type: str


class Problem(Exception):
    """A request that gets no answer of its own."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.status, self.code, self.reason = status, code, reason


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value that a request carries: in its path, query or a header."""

    name: str
    about: str
    place: str = "query"
    type: str = "string"  # of JSON schema
    required: bool = False
    example: str | int | float = ""


@dataclass(frozen=True, slots=True)
class Route(Generic[S]):
    """`method path`, whose last segment may be a name in braces; what it takes and gives is for the document."""

    method: str
    path: str
    handle: Callable[[S, Request], Awaitable[Answer | Stream]]
    about: str
    gives: type | str  # a view, or a media type
    parameters: tuple[Parameter, ...] = ()
    takes: tuple[str, ...] = ()  # media types of the body
    most_bytes: int = 0
    timeout_s: float = 30.0
    statuses: Mapping[int, str] = field(default_factory=dict)  # others than 200, and what they say


class App(Generic[S]):
    """The ASGI application of a table of routes. `refused` is told the code of each refusal."""

    def __init__(
        self, service: S, routes: Sequence[Route[S]], refused: Callable[[str], None] = lambda code: None
    ) -> None:
        self._service = service
        self._exact = {(each.method, each.path): each for each in routes if not each.path.endswith("}")}
        self._open = {(each.method, each.path.rpartition("/")[0]): each for each in routes if each.path.endswith("}")}
        self._paths = {path for _, path in self._exact} | {path for _, path in self._open}
        self._refused = refused
        self._clients: Counter[str] = Counter()
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        client = (scope.get("client") or ("",))[0]
        self._clients[client] += 1
        try:
            answer = await self._answer(scope, receive, client)
            if isinstance(answer, Stream):
                await _stream(answer, receive, send)
            else:
                await _send(answer, send)
        finally:
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    async def _answer(self, scope: Scope, receive: Receive, client: str) -> Answer | Stream:
        """What the route's function gives, or the refusal that came instead."""
        try:
            if self._clients[client] > MAX_PER_CLIENT:
                raise Problem(429, "too_many_requests", f"{MAX_PER_CLIENT} requests of {client} are under way")
            route, request = self._find(scope)
            return await self._run(route, request, receive)
        except Problem as problem:
            return self._refusal(problem.status, problem.code, problem.reason)
        except Rejected as error:
            return self._refusal(429 if error.code in LATER else 409, error.code, error.reason)
        except DecodeError as error:
            return self._refusal(409, "malformed", str(error))
        except TimeoutError:
            return self._refusal(503, "timeout", "the answer took too long; try again, or ask another validator")
        except Exception as error:
            log.exception("request failed", path=scope["path"], error=type(error).__name__)
            return self._refusal(500, "internal", "an error of this validator, which its log tells of")

    def _find(self, scope: Scope) -> tuple[Route[S], Request]:
        method, path = scope["method"], scope["path"]
        route = self._exact.get((method, path))
        if route:
            return route, Request.of(scope, "")
        head, _, rest = path.rpartition("/")
        route = self._open.get((method, head)) if rest else None
        if route:
            return route, Request.of(scope, rest)
        if path in self._paths or head in self._paths:
            raise Problem(405, "wrong_method", f"{path} does not take {method}; see /openapi.json")
        raise Problem(404, "unknown_path", f"{path} is not known; see /openapi.json")

    async def _run(self, route: Route[S], request: Request, receive: Receive) -> Answer | Stream:
        if not route.most_bytes:
            async with asyncio.timeout(route.timeout_s):
                return await route.handle(self._service, request)
        body = bytearray()
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                await self._read(route, request, receive, body)
            whole = Request(request.rest, request.query, request.headers, bytes(body))
            async with asyncio.timeout(route.timeout_s):
                return await route.handle(self._service, whole)
        finally:
            self._held_bytes -= len(body)

    async def _read(self, route: Route[S], request: Request, receive: Receive, body: bytearray) -> None:
        """Fill `body`. Raises Rejected `too_large` before more than the route takes is held."""
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > route.most_bytes:
            raise Rejected("too_large", f"{length} bytes where at most {route.most_bytes} are taken")
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "cut_off", "the request ended before its body did")
            chunk = message.get("body", b"")
            if len(body) + len(chunk) > route.most_bytes:
                raise Rejected("too_large", f"more than {route.most_bytes} bytes")
            if self._held_bytes + len(chunk) > MAX_HELD_BYTES:
                raise Problem(503, "busy", "too many large requests are under way; try again later")
            body += chunk
            self._held_bytes += len(chunk)
            if not message.get("more_body"):
                return

    def _refusal(self, status: int, code: str, reason: str) -> Answer:
        self._refused(code)
        headers = ((b"retry-after", b"1"),) if status in (429, 503) else ()
        return Answer(to_json(Refusal(code, reason)), JSON, status, headers)


async def _send(answer: Answer, send: Send) -> None:
    length, kind = str(len(answer.body)).encode(), answer.media_type.encode()
    headers = [(b"content-type", kind), (b"content-length", length), *answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _stream(stream: Stream, receive: Receive, send: Send) -> None:
    """Until the client goes, takes nothing for too long, or the stream ends."""
    headers = [(b"content-type", stream.media_type.encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    writing = asyncio.create_task(_write(stream, send), name="stream")
    gone = asyncio.create_task(_gone(receive), name="stream's client")
    try:
        await asyncio.wait({writing, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (writing, gone):
            task.cancel()
        await asyncio.gather(writing, gone, return_exceptions=True)


async def _write(stream: Stream, send: Send) -> None:
    """`send` waits while the client's socket is full: nothing is queued for it here."""
    with suppress(TimeoutError):
        async for chunk in stream.chunks:
            async with asyncio.timeout(SLOW_CLIENT_S):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        async with asyncio.timeout(SLOW_CLIENT_S):
            await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
