"""The chain as it stands: blocks, tasks, rounds, who takes part."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

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
from salus_chain.node.clients import Service
from salus_chain.node.routes.parameters import found, octets, seconds, text, view, whole
from salus_chain.node.routes.submitting import MAX_WAIT_S, PATIENCE_S
from salus_chain.node.web import CBOR, Answer, Parameter, Problem, Request, Route
from salus_chain.rules.blocks import Block, Certificate
from salus_chain.rules.transactions import read_transaction
from salus_chain.views import (
    GatewayView,
    RoundView,
    Status,
    TaskView,
)

MAX_LIMIT: Final = 100


async def status(service: Service, request: Request) -> Answer:
    return view(service.status())


async def wait(service: Service, request: Request) -> Answer:
    above = whole(request.query.get("above"), "above", low=-1)
    return view(await service.wait(above, seconds(request, "timeout_s", MAX_WAIT_S)))


async def block(service: Service, request: Request) -> Answer:
    """JSON to look at, or the canonical [block, certificate] for who asks for CBOR."""
    height = whole(request.rest, "height")
    stored = service.block(height)
    if stored is None:
        raise Problem(404, "not_found", f"block {height} is not there yet")
    if CBOR in request.headers.get("accept", ""):
        return Answer(encode((stored[0].value(), stored[1].value())), CBOR)
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


async def blocks(service: Service, request: Request) -> Answer:
    first = whole(request.query.get("from"), "from", default=1, low=1)
    return view(service.blocks(first, _limit(request)))


async def tasks(service: Service, request: Request) -> Answer:
    return view(service.tasks())


async def task(service: Service, request: Request) -> Answer:
    name = text(request, "task")
    return found(service.task(name), f"task {name}")


async def round_(service: Service, request: Request) -> Answer:
    name, number = text(request, "task"), whole(request.query.get("round"), "round")
    return found(service.round(name, number), f"task {name}, round {number}")


async def rounds(service: Service, request: Request) -> Answer:
    name = text(request, "task")
    return found(service.rounds(name, _limit(request)), f"task {name}")


async def report(service: Service, request: Request) -> Answer:
    name, number = text(request, "task"), whole(request.query.get("round"), "round")
    return found(await service.report(name, number), f"a report of task {name}, round {number}")


async def gateways(service: Service, request: Request) -> Answer:
    return view(service.gateways())


async def gateway(service: Service, request: Request) -> Answer:
    name = text(request, "gateway")
    return found(service.gateway(name), f"gateway {name}")


async def consent(service: Service, request: Request) -> Answer:
    digest = octets(request.rest, "consent", 32)
    return found(service.consent(digest), f"consent {digest.hex()[:16]}")


async def validators(service: Service, request: Request) -> Answer:
    return view(service.validators())


def _limit(request: Request) -> int:
    return whole(request.query.get("limit"), "limit", default=20, low=1, high=MAX_LIMIT)


_TASK: Final = Parameter("task", "The task's name.", required=True, example="activity")
_ROUND: Final = Parameter("round", "The round's number.", type="integer", required=True, example=3)
_LIMIT: Final = Parameter("limit", f"How many at most, up to {MAX_LIMIT}.", type="integer", example=20)
_GONE: Final = {404: "there is no such thing"}

ROUTES: Final[tuple[Route[Service], ...]] = (
    Route("GET", "/status", status, "Where this validator stands, who else is there, and what holds it up.", Status),
    Route(
        "GET",
        "/wait",
        wait,
        "The status as soon as the height is greater than `above`, or after `timeout_s`.",
        Status,
        (
            Parameter("above", "A height.", type="integer", required=True, example=11),
            Parameter("timeout_s", "How long to wait.", type="number", required=True, example=20.0),
        ),
        timeout_s=PATIENCE_S,
    ),
    Route(
        "GET",
        "/blocks/{height}",
        block,
        "A final block; with `Accept: application/cbor` the canonical [block, certificate].",
        BlockView,
        (Parameter("height", "From 1 upwards.", "path", "integer", required=True, example=12),),
        statuses=_GONE,
    ),
    Route(
        "GET",
        "/blocks",
        blocks,
        "Consecutive blocks, upwards.",
        BlockList,
        (Parameter("from", "The first height, 1 by default.", type="integer", example=1), _LIMIT),
    ),
    Route("GET", "/tasks", tasks, "The names of all tasks.", Names),
    Route("GET", "/task", task, "A task's model and newest release.", TaskView, (_TASK,), statuses=_GONE),
    Route("GET", "/round", round_, "One round of a task.", RoundView, (_TASK, _ROUND), statuses=_GONE),
    Route("GET", "/rounds", rounds, "A task's latest rounds.", RoundList, (_TASK, _LIMIT), statuses=_GONE),
    Route(
        "GET",
        "/report",
        report,
        "What the aggregation of a round did with each update; recomputed here when it is not at hand.",
        ReportView,
        (_TASK, _ROUND),
        timeout_s=120.0,
        statuses={404: "no such round, it is not closed, or bytes of it are not here"},
    ),
    Route("GET", "/gateways", gateways, "The names of all gateways.", Names),
    Route(
        "GET",
        "/gateway",
        gateway,
        "A gateway's enrolment.",
        GatewayView,
        (Parameter("gateway", "Its name.", required=True, example="ward-7"),),
        statuses=_GONE,
    ),
    Route(
        "GET",
        "/consents/{consent}",
        consent,
        "A consent, by its salted digest.",
        ConsentView,
        (Parameter("consent", "32 bytes in hexadecimal.", "path", required=True, example="ab" * 32),),
        statuses=_GONE,
    ),
    Route("GET", "/validators", validators, "Who decides, who observes, which change is pending.", ValidatorsView),
)
