"""The chain as it stands: blocks, tasks, rounds, who takes part."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from salus_chain.codec import encode
from salus_chain.inspection import (
    BlockList,
    BlockView,
    ConsentView,
    Names,
    ReportView,
    RoundList,
    TxView,
    ValidatorsView,
)
from salus_chain.node.http.media import CBOR
from salus_chain.node.http.refusals import Problem
from salus_chain.node.http.routes.answers import GONE, found, gives, view
from salus_chain.node.http.routes.parameters import (
    MAX_INTEGER,
    Asked,
    Digest,
    Gateway,
    Height,
    Limit,
    Round,
    Task,
    Wait,
)
from salus_chain.rules.blocks import Block, Certificate
from salus_chain.rules.transactions import read_transaction
from salus_chain.views import GatewayView, RoundView, Status, TaskView

router = APIRouter()


@router.get("/status", response_model=Status)
async def status(service: Asked) -> Response:
    """Where this validator stands, who else is there, and what holds it up."""
    return view(service.status())


@router.get("/wait", response_model=Status)
async def wait(
    service: Asked, above: Annotated[int, Query(ge=-1, le=MAX_INTEGER, examples=[11])], timeout_s: Wait
) -> Response:
    """The status as soon as the height is greater than `above`, or after `timeout_s`."""
    return view(await service.wait(above, timeout_s))


@router.get("/blocks/{height}", response_model=BlockView, responses={**gives(CBOR), **GONE})
async def block(request: Request, service: Asked, height: Height) -> Response:
    """A final block; with `Accept: application/cbor` the canonical [block, certificate]."""
    stored = service.block(height)
    if stored is None:
        raise Problem(404, "not_found", f"block {height} is not there yet")
    if CBOR in request.headers.get("accept", ""):
        return Response(encode((stored[0].value(), stored[1].value())), media_type=CBOR)
    return view(block_view(*stored))


def block_view(block: Block, certificate: Certificate) -> BlockView:
    header = block.header
    return BlockView(
        header.height,
        header.time_ms,
        header.digest,
        header.parent,
        header.transactions_root,
        header.state_root,
        header.validators_hash,
        header.next_validators_hash,
        certificate.round,
        tuple(seal.seat for seal in certificate.seals),
        tuple(tx_view(data) for data in block.transactions),
    )


def tx_view(data: bytes) -> TxView:
    """A transaction with its body by field. Raises DecodeError."""
    tx = read_transaction(data)
    return TxView(tx.id, tx.kind.name.lower(), tx.sender, tx.nonce, len(data), asdict(tx.body))


@router.get("/blocks", response_model=BlockList)
async def blocks(
    service: Asked,
    first: Annotated[int, Query(alias="from", ge=1, le=MAX_INTEGER, description="The first height.")] = 1,
    limit: Limit = 20,
) -> Response:
    """Consecutive blocks, upwards."""
    return view(service.blocks(first, limit))


@router.get("/tasks", response_model=Names)
async def tasks(service: Asked) -> Response:
    """The names of all tasks."""
    return view(service.tasks())


@router.get("/task", response_model=TaskView, responses=GONE)
async def task(service: Asked, name: Task) -> Response:
    """A task's model and newest release."""
    return found(service.task(name), f"task {name}")


@router.get("/round", response_model=RoundView, responses=GONE)
async def round_(service: Asked, name: Task, number: Round) -> Response:
    """One round of a task."""
    return found(service.round(name, number), f"task {name}, round {number}")


@router.get("/rounds", response_model=RoundList, responses=GONE)
async def rounds(service: Asked, name: Task, limit: Limit = 20) -> Response:
    """A task's latest rounds."""
    return found(service.rounds(name, limit), f"task {name}")


@router.get("/report", response_model=ReportView, responses=GONE)
async def report(service: Asked, name: Task, number: Round) -> Response:
    """What the aggregation of a round did with each update; recomputed here when it is not at hand.

    404: no such round, it is not closed, or bytes of it are not here.
    """
    return found(await service.report(name, number), f"a report of task {name}, round {number}")


@router.get("/gateways", response_model=Names)
async def gateways(service: Asked) -> Response:
    """The names of all gateways."""
    return view(service.gateways())


@router.get("/gateway", response_model=GatewayView, responses=GONE)
async def gateway(service: Asked, name: Gateway) -> Response:
    """A gateway's enrolment."""
    return found(service.gateway(name), f"gateway {name}")


@router.get("/consents/{consent}", response_model=ConsentView, responses=GONE)
async def consent(service: Asked, digest: Annotated[Digest, Path(alias="consent")]) -> Response:
    """A consent, by its salted digest."""
    return found(service.consent(digest), f"consent {digest.hex()[:16]}")


@router.get("/validators", response_model=ValidatorsView)
async def validators(service: Asked) -> Response:
    """Who decides, who observes, which change is pending."""
    return view(service.validators())
