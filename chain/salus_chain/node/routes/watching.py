"""For those who watch: events as they happen, health, readiness, metrics, and the document of this interface."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Final

from salus_chain.inspection import (
    Event,
    Health,
)
from salus_chain.node.clients import Service
from salus_chain.node.routes.parameters import view, whole
from salus_chain.node.web import JSON, TEXT, Answer, Parameter, Problem, Request, Route, Stream
from salus_chain.views import (
    Status,
    to_json,
)

EVENT_STREAM: Final = "text/event-stream"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
HEARTBEAT: Final = b": still here\n\n"
LAST_EVENT_ID: Final = "last-event-id"


async def events(service: Service, request: Request) -> Stream:
    """From the events after a height, or after the event that the client saw last, until the client goes."""
    last = request.headers.get(LAST_EVENT_ID, "")
    if last:
        height, _, position = last.partition("-")
        after = whole(height, LAST_EVENT_ID), whole(position, LAST_EVENT_ID)
        return Stream(_written(service.events(*after)), EVENT_STREAM)
    default = service.status().height
    height_after = whole(request.query.get("after"), "after", default=default)
    return Stream(_written(service.events(height_after + 1, -1)), EVENT_STREAM)


async def _written(batches: AsyncIterator[tuple[Event, ...]]) -> AsyncIterator[bytes]:
    """Server-sent events (WHATWG HTML, 9.2); an empty batch becomes a heartbeat."""
    yield b"retry: 1000\n\n"
    async for batch in batches:
        yield b"".join(map(_message, batch)) or HEARTBEAT


def _message(event: Event) -> bytes:
    return f"id: {event.id}\nevent: {event.type}\ndata: ".encode() + to_json(event) + b"\n\n"


async def health(service: Service, request: Request) -> Answer:
    return view(Health())


async def ready(service: Service, request: Request) -> Answer:
    reason = service.unready()
    if reason:
        raise Problem(503, "not_ready", reason)
    return view(service.status())


async def metrics(service: Service, request: Request) -> Answer:
    return Answer(await service.metrics(), METRICS)


async def openapi(service: Service, request: Request) -> Answer:
    from salus_chain.node.openapi import document

    return Answer(json.dumps(document()).encode())


ROUTES: Final[tuple[Route[Service], ...]] = (
    Route(
        "GET",
        "/events",
        events,
        "Server-sent events of final blocks: block, round, release, validators, evidence. Resumes by Last-Event-ID.",
        EVENT_STREAM,
        (
            Parameter("after", "A height; those after it are told. The newest by default.", type="integer", example=11),
            Parameter(LAST_EVENT_ID, "The id of the event that was read last.", "header", example="12-0"),
        ),
    ),
    Route("GET", "/health", health, "Whether the process lives.", Health),
    Route(
        "GET",
        "/ready",
        ready,
        "Whether this validator is caught up and a quorum can be reached.",
        Status,
        statuses={503: "it is not, and why"},
    ),
    Route("GET", "/metrics", metrics, "Metrics in Prometheus's text format.", TEXT),
    Route("GET", "/openapi.json", openapi, "This interface as an OpenAPI 3.1 document.", JSON),
)
