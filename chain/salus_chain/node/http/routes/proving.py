"""Proof files, and the bytes that they name."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request, Response

from salus_chain.codec import MAX_BYTES, encode
from salus_chain.node.http.media import BINARY
from salus_chain.node.http.routes.answers import GONE, REFUSED, file, gives, takes, view
from salus_chain.node.http.routes.parameters import Asked, Digest, Gateway, Key, Round, Signature, Task, TimeMs
from salus_chain.views import Approval

MOST_BYTES: Final = {"/updates": MAX_BYTES, "/approvals": MAX_BYTES}

_FILE: Final[dict[str, Any]] = {"response_class": Response, "responses": {**gives(BINARY), **GONE}}

router = APIRouter()


@router.get("/proofs/settlement", **_FILE)
async def settlement(service: Asked, task: Task, number: Round) -> Response:
    """That a round was settled."""
    return file(service.proofs.settlement(task, number), BINARY, f"a settlement of task {task}, round {number}")


@router.get("/proofs/update", **_FILE)
async def update(service: Asked, task: Task, number: Round, gateway: Gateway) -> Response:
    """That a gateway's update is in a settlement."""
    what = f"an update of gateway {gateway} in the settlement of task {task}, round {number}"
    return file(service.proofs.update(task, number, gateway), BINARY, what)


@router.get("/proofs/release", **_FILE)
async def release(service: Asked, task: Task) -> Response:
    """A newest release's approval."""
    return file(service.proofs.release(task), BINARY, f"an approved release of task {task}")


@router.get("/proofs/withdrawal", **_FILE)
async def withdrawal(service: Asked, consent: Digest) -> Response:
    """That a consent was withdrawn."""
    return file(service.proofs.withdrawal(consent), BINARY, f"a withdrawal of consent {consent.hex()[:16]}")


@router.get("/proofs/model", **_FILE)
async def model(service: Asked, task: Task) -> Response:
    """A task's current model."""
    return file(service.proofs.model(task), BINARY, f"a model of task {task}")


@router.get("/proofs/members", **_FILE)
async def members(service: Asked) -> Response:
    """Who the members are now."""
    return file(service.proofs.members(), BINARY, "a final block")


@router.post("/updates", response_class=Response, responses={**gives(BINARY), **REFUSED}, openapi_extra=takes(BINARY))
async def take_update(request: Request, service: Asked, signature: Signature = b"") -> Response:
    """Push a gateway's update of the open round, signed by the gateway. Gives a receipt: canonical bytes."""
    receipt = await service.take_update(await request.body(), signature)
    return Response(encode(receipt.value()), media_type=BINARY)


@router.get("/blobs/{digest}", **_FILE)
async def blob(
    service: Asked,
    digest: Digest,
    key: Key = b"",
    time_ms: TimeMs = 0,
    signature: Signature = b"",
) -> Response:
    """A model or release for anyone; an update for validators and, by signature, for its own gateway."""
    return file(await service.blob(digest, key, time_ms, signature), BINARY, f"blob {digest.hex()[:16]}")


@router.post("/approvals", response_model=Approval, responses=REFUSED, openapi_extra=takes(BINARY))
async def approve(request: Request, service: Asked) -> Response:
    """Put a model or a release before this validator; its signed approval, of which a quorum makes a transaction."""
    return view(await service.approve(await request.body()))
