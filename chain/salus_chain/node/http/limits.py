"""What one client may ask of a validator at once: requests, bytes, time. ASGI middleware (asgi.readthedocs.io)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from salus_chain.errors import Rejected
from salus_chain.node.http.refusals import Problem, Refusals, log_failure

MAX_PER_CLIENT: Final = 256  # requests of one address that are under way
MAX_HELD_BYTES: Final = 256 << 20  # of bodies that are being read or worked on, of all clients
BODY_TIMEOUT_S: Final = 30.0
ANSWER_TIMEOUT_S: Final = 120.0  # until an answer begins: a large model is examined, a report computed
SLOW_CLIENT_S: Final = 20.0  # a reader that takes nothing for so long is cut


class Limits:
    """Lets through what keeps to them. `most_bytes`: the paths whose POST takes a body, and its limit."""

    def __init__(self, app: ASGIApp, most_bytes: Mapping[str, int], refusals: Refusals) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._refusals = refusals
        self._clients: Counter[str] = Counter()
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = (scope.get("client") or ("",))[0]
        self._clients[client] += 1
        sending = _Sending(send)
        try:
            if self._clients[client] > MAX_PER_CLIENT:
                raise Problem(429, "too_many_requests", f"{MAX_PER_CLIENT} requests of {client} are under way")
            await self._run(scope, receive, sending)
        except Exception as error:
            if not sending.started:
                await self._refusals.answer(error, scope["path"])(scope, receive, send)
            elif not isinstance(error, TimeoutError):
                log_failure(error, scope["path"])
        finally:
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]

    async def _run(self, scope: Scope, receive: Receive, sending: _Sending) -> None:
        body = bytearray()
        try:
            if scope["method"] == "POST" and scope["path"] in self._most_bytes:
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    await self._read(scope, receive, body)
                receive = _read_before(bytes(body), receive)
            async with asyncio.timeout(ANSWER_TIMEOUT_S) as sending.deadline:
                await self._app(scope, receive, sending)
        finally:
            self._held_bytes -= len(body)

    async def _read(self, scope: Scope, receive: Receive, body: bytearray) -> None:
        """Fill `body`. Raises Rejected `too_large` before more than the path takes is held."""
        most = self._most_bytes[scope["path"]]
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if length.isdigit() and int(length) > most:
            raise Rejected("too_large", f"{int(length)} bytes where at most {most} are taken")
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Problem(400, "cut_off", "the request ended before its body did")
            chunk, more = message.get("body", b""), message.get("more_body", False)
            if len(body) + len(chunk) > most:
                raise Rejected("too_large", f"more than {most} bytes")
            if self._held_bytes + len(chunk) > MAX_HELD_BYTES:
                raise Problem(503, "busy", "too many large requests are under way; try again later")
            body += chunk
            self._held_bytes += len(chunk)


class _Sending:
    """Sends an answer. Once it has begun, only the client's taking it has a deadline."""

    deadline: asyncio.Timeout

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        self.started = True
        self.deadline.reschedule(asyncio.get_running_loop().time() + SLOW_CLIENT_S)
        await self._send(message)  # waits while the client's socket is full: nothing is queued for it
        self.deadline.reschedule(None)


def _read_before(body: bytes, receive: Receive) -> Receive:
    """Gives the body, and then what else comes: that the client goes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message
