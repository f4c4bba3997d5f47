"""Proof files, and the bytes that they name."""

from __future__ import annotations

from typing import Final

from salus_chain.codec import MAX_BYTES, encode
from salus_chain.node.clients import Service
from salus_chain.node.routes.parameters import file, octets, text, view, whole
from salus_chain.node.web import BINARY, Answer, Parameter, Request, Route
from salus_chain.signing import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER
from salus_chain.views import Approval

WORK_S: Final = 120.0  # to take in or examine a large model


async def settlement(service: Service, request: Request) -> Answer:
    task, number = text(request, "task"), whole(request.query.get("round"), "round")
    return file(service.proofs.settlement(task, number), BINARY, f"a settlement of task {task}, round {number}")


async def update(service: Service, request: Request) -> Answer:
    task, number = text(request, "task"), whole(request.query.get("round"), "round")
    gateway = text(request, "gateway")
    what = f"an update of gateway {gateway} in the settlement of task {task}, round {number}"
    return file(service.proofs.update(task, number, gateway), BINARY, what)


async def release(service: Service, request: Request) -> Answer:
    task = text(request, "task")
    return file(service.proofs.release(task), BINARY, f"an approved release of task {task}")


async def withdrawal(service: Service, request: Request) -> Answer:
    consent = octets(text(request, "consent"), "consent", 32)
    return file(service.proofs.withdrawal(consent), BINARY, f"a withdrawal of consent {consent.hex()[:16]}")


async def model(service: Service, request: Request) -> Answer:
    task = text(request, "task")
    return file(service.proofs.model(task), BINARY, f"a model of task {task}")


async def members(service: Service, request: Request) -> Answer:
    return file(service.proofs.members(), BINARY, "a final block")


async def take_update(service: Service, request: Request) -> Answer:
    signature = octets(request.headers.get(SIGNATURE_HEADER, ""), SIGNATURE_HEADER)
    receipt = await service.take_update(request.body, signature)
    return Answer(encode(receipt.value()), BINARY)


async def blob(service: Service, request: Request) -> Answer:
    digest, headers = octets(request.rest, "digest", 32), request.headers
    data = await service.blob(
        digest,
        octets(headers.get(KEY_HEADER, ""), KEY_HEADER),
        whole(headers.get(TIME_HEADER), TIME_HEADER, default=0),
        octets(headers.get(SIGNATURE_HEADER, ""), SIGNATURE_HEADER),
    )
    return file(data, BINARY, f"blob {digest.hex()[:16]}")


async def approve(service: Service, request: Request) -> Answer:
    return view(await service.approve(request.body))


_TASK: Final = Parameter("task", "The task's name.", required=True, example="activity")
_ROUND: Final = Parameter("round", "The round's number.", type="integer", required=True, example=3)
_GATEWAY: Final = Parameter("gateway", "The gateway's name.", required=True, example="ward-7")
_CONSENT: Final = Parameter("consent", "32 bytes in hexadecimal.", required=True, example="ab" * 32)
_SIGNATURE: Final = Parameter(SIGNATURE_HEADER, "64 bytes in hexadecimal.", "header", example="ab" * 64)
_GONE: Final = {404: "there is no such thing here"}

ROUTES: Final[tuple[Route[Service], ...]] = (
    Route(
        "GET", "/proofs/settlement", settlement, "That a round was settled.", BINARY, (_TASK, _ROUND), statuses=_GONE
    ),
    Route(
        "GET",
        "/proofs/update",
        update,
        "That a gateway's update is in a settlement.",
        BINARY,
        (_TASK, _ROUND, _GATEWAY),
        statuses=_GONE,
    ),
    Route("GET", "/proofs/release", release, "A newest release's approval.", BINARY, (_TASK,), statuses=_GONE),
    Route(
        "GET", "/proofs/withdrawal", withdrawal, "That a consent was withdrawn.", BINARY, (_CONSENT,), statuses=_GONE
    ),
    Route("GET", "/proofs/model", model, "A task's current model.", BINARY, (_TASK,), statuses=_GONE),
    Route("GET", "/proofs/members", members, "Who the members are now.", BINARY, statuses=_GONE),
    Route(
        "POST",
        "/updates",
        take_update,
        "Push a gateway's update of the open round, signed by the gateway. Gives a receipt: canonical bytes.",
        BINARY,
        (_SIGNATURE,),
        takes=(BINARY,),
        most_bytes=MAX_BYTES,
        timeout_s=WORK_S,
        statuses={409: "a rule refuses it"},
    ),
    Route(
        "GET",
        "/blobs/{digest}",
        blob,
        "A model or release for anyone; an update for validators and, by signature, for its own gateway.",
        BINARY,
        (
            Parameter("digest", "32 bytes in hexadecimal.", "path", required=True, example="ab" * 32),
            Parameter(KEY_HEADER, "Who asks: 33 bytes in hexadecimal.", "header", example="02" + "ab" * 32),
            Parameter(TIME_HEADER, "When, in Unix milliseconds.", "header", "integer", example=1767225600000),
            _SIGNATURE,
        ),
        timeout_s=WORK_S,
        statuses=_GONE,
    ),
    Route(
        "POST",
        "/approvals",
        approve,
        "Put a model or a release before this validator; its signed approval, of which a quorum makes a transaction.",
        Approval,
        takes=(BINARY,),
        most_bytes=MAX_BYTES,
        timeout_s=WORK_S,
        statuses={409: "a check fails"},
    ),
)
