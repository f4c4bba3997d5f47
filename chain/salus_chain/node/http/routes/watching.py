"""For those who watch: events as they happen, health, readiness, metrics."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from salus_chain.inspection import Event, Health
from salus_chain.node.http.media import EVENT_STREAM, METRICS
from salus_chain.node.http.refusals import Problem
from salus_chain.node.http.routes.answers import Responses, gives, view
from salus_chain.node.http.routes.parameters import MAX_INTEGER, Asked
from salus_chain.views import Refusal, Status, to_json

HEARTBEAT: Final = b": still here\n\n"

_UNREADY: Final[Responses] = {503: {"model": Refusal, "description": "It is not, and why."}}

router = APIRouter()


@router.get("/events", response_class=Response, responses=gives(EVENT_STREAM))
async def events(
    service: Asked,
    after: Annotated[int | None, Query(ge=0, le=MAX_INTEGER, examples=[11])] = None,
    last_event_id: Annotated[str, Header(pattern="^([0-9]{1,18}-[0-9]{1,18})?$", examples=["12-0"])] = "",
) -> Response:
    """Server-sent events of final blocks: block, round, release, validators, evidence.

    From those after the height `after`, the newest by default; a reader that was cut off resumes by Last-Event-ID.
    """
    if last_event_id:
        height, _, position = last_event_id.partition("-")
        batches = service.events(int(height), int(position))
    else:
        batches = service.events((service.status().height if after is None else after) + 1, -1)
    headers = {"content-type": EVENT_STREAM, "cache-control": "no-store"}
    return StreamingResponse(_written(batches), headers=headers)


async def _written(batches: AsyncIterator[tuple[Event, ...]]) -> AsyncIterator[bytes]:
    """Server-sent events (WHATWG HTML, 9.2); an empty batch becomes a heartbeat."""
    yield b"retry: 1000\n\n"
    async for batch in batches:
        yield b"".join(map(_message, batch)) or HEARTBEAT


def _message(event: Event) -> bytes:
    return f"id: {event.id}\nevent: {event.type}\ndata: ".encode() + to_json(event) + b"\n\n"


@router.get("/health", response_model=Health)
async def health() -> Response:
    """Whether the process lives."""
    return view(Health())


@router.get("/ready", response_model=Status, responses=_UNREADY)
async def ready(service: Asked) -> Response:
    """Whether this validator is caught up and a quorum can be reached."""
    reason = service.unready()
    if reason:
        raise Problem(503, "not_ready", reason)
    return view(service.status())


@router.get("/metrics", response_class=Response, responses=gives(METRICS))
async def metrics(service: Asked) -> Response:
    """Metrics in Prometheus's text format."""
    return Response(await service.metrics(), media_type=METRICS)
