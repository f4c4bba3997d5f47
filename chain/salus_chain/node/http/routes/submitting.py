"""Transactions: hand one or many in, and ask what became of one."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response

from salus_chain import codec
from salus_chain.errors import DecodeError
from salus_chain.inspection import Batch
from salus_chain.node.http.media import BINARY, CBOR, JSON, TEXT
from salus_chain.node.http.routes.answers import REFUSED, Responses, gives, takes, view
from salus_chain.node.http.routes.parameters import MAX_WAIT_S, Asked, Digest, PublicKey, Wait, asked, octets
from salus_chain.rules.transactions import MAX_TX_BYTES
from salus_chain.views import Refusal, TxStatus

MAX_BATCH: Final = 5_000
MAX_BATCH_BYTES: Final = 8 << 20
MOST_BYTES: Final = {"/transactions": MAX_TX_BYTES, "/transactions/batch": MAX_BATCH_BYTES}

_LATER: Final[Responses] = {429: {"model": Refusal, "description": "Too much waits, or too fast: try again later."}}

router = APIRouter()


@router.post(
    "/transactions",
    response_model=TxStatus,
    responses={**gives(BINARY), **REFUSED, **_LATER},
    openapi_extra=takes(BINARY),
)
async def submit(
    request: Request,
    wait_s: Annotated[float | None, Query(ge=0, le=MAX_WAIT_S, allow_inf_nan=False, examples=[10])] = None,
) -> Response:
    """Submit a transaction: canonical bytes.

    Gives its id (32 bytes); with `wait_s`, its status as JSON once it is final, or after that long.
    """
    service = asked(request)
    tx_id = service.submit(await request.body())
    if wait_s is None:
        return Response(tx_id, media_type=BINARY)
    return view(await service.transaction(tx_id, wait_s))


@router.post("/transactions/batch", response_model=Batch, responses=REFUSED, openapi_extra=takes(CBOR, JSON))
async def submit_batch(request: Request, service: Asked) -> Response:
    """Submit up to 5,000 transactions: a canonical CBOR array of byte strings, or a JSON list of hexadecimal.

    Each by itself: one that is refused does not spoil the others.
    """
    body, is_json = await request.body(), request.headers.get("content-type", "").startswith(JSON)
    return view(Batch(await service.submit_batch(_hexadecimal(body) if is_json else _canonical(body))))


def _canonical(body: bytes) -> tuple[bytes, ...]:
    rows = codec.decode(body, MAX_BATCH_BYTES)
    return codec.items(rows, lambda each: codec.octets(each, "transaction"), "batch", MAX_BATCH)


def _hexadecimal(body: bytes) -> tuple[bytes, ...]:
    try:
        rows = msgspec.json.decode(body, type=list[str])
        if len(rows) > MAX_BATCH:
            raise DecodeError(f"batch: {len(rows)} transactions where at most {MAX_BATCH} are taken")
        return tuple(map(octets, rows))
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"batch: a list of hexadecimal strings is wanted: {error}") from None


@router.get("/transactions/{id}", response_model=TxStatus)
async def transaction(service: Asked, tx_id: Annotated[Digest, Path(alias="id")], timeout_s: Wait = 0.0) -> Response:
    """What became of a transaction; `timeout_s`: wait so long until it is final or dropped."""
    return view(await service.transaction(tx_id, timeout_s))


@router.get("/nonces/{public_key}", response_class=Response, responses=gives(TEXT))
async def nonce(service: Asked, public_key: PublicKey) -> Response:
    """The nonce for this key's next transaction, counting those that wait here."""
    return Response(str(service.next_nonce(public_key)), media_type=TEXT)
