"""Transactions: hand one or many in, and ask what became of one."""

from __future__ import annotations

from typing import Final

import msgspec

from salus_chain.codec import decode, items, octets
from salus_chain.errors import DecodeError
from salus_chain.inspection import (
    Batch,
)
from salus_chain.node.clients import Service
from salus_chain.node.routes import parameters
from salus_chain.node.routes.parameters import seconds, view
from salus_chain.node.web import BINARY, CBOR, JSON, TEXT, Answer, Parameter, Request, Route
from salus_chain.rules.transactions import MAX_TX_BYTES
from salus_chain.views import (
    TxStatus,
)

MAX_WAIT_S: Final = 30.0
MAX_BATCH: Final = 5_000
MAX_BATCH_BYTES: Final = 8 << 20
PATIENCE_S: Final = MAX_WAIT_S + 5.0  # of the server, with a request that waits


async def submit(service: Service, request: Request) -> Answer:
    """The id; with `wait_s`, the status once the transaction is final, or after that long."""
    tx_id = service.submit(request.body)
    if "wait_s" not in request.query:
        return Answer(tx_id, BINARY)
    return view(await service.transaction(tx_id, seconds(request, "wait_s", MAX_WAIT_S)))


async def submit_batch(service: Service, request: Request) -> Answer:
    """Each by itself: one that is refused does not spoil the others."""
    is_json = request.headers.get("content-type", "").startswith(JSON)
    batch = _hexadecimal(request.body) if is_json else _canonical(request.body)
    return view(Batch(service.submit_batch(batch)))


def _canonical(body: bytes) -> tuple[bytes, ...]:
    return items(decode(body, MAX_BATCH_BYTES), lambda each: octets(each, "transaction"), "batch", MAX_BATCH)


def _hexadecimal(body: bytes) -> tuple[bytes, ...]:
    try:
        rows = msgspec.json.decode(body, type=list[str])
    except (msgspec.DecodeError, RecursionError) as error:
        raise DecodeError(f"batch: a list of hexadecimal strings is wanted: {error}") from None
    if len(rows) > MAX_BATCH:
        raise DecodeError(f"batch: {len(rows)} transactions where at most {MAX_BATCH} are taken")
    return tuple(parameters.octets(row, "transaction") for row in rows)


async def transaction(service: Service, request: Request) -> Answer:
    tx_id = parameters.octets(request.rest, "transaction id", 32)
    return view(await service.transaction(tx_id, seconds(request, "timeout_s", MAX_WAIT_S, 0.0)))


async def nonce(service: Service, request: Request) -> Answer:
    public_key = parameters.octets(request.rest, "public key", 33)
    return Answer(str(service.next_nonce(public_key)).encode(), TEXT)


ROUTES: Final[tuple[Route[Service], ...]] = (
    Route(
        "POST",
        "/transactions",
        submit,
        "Submit a transaction: canonical bytes. Gives its id (32 bytes); with `wait_s`, its status as JSON.",
        TxStatus,
        (Parameter("wait_s", "How long to wait for it to become final.", type="number", example=10.0),),
        takes=(BINARY,),
        most_bytes=MAX_TX_BYTES,
        timeout_s=PATIENCE_S,
        statuses={409: "a rule refuses it, as a block would", 429: "too much waits, or too fast: try again later"},
    ),
    Route(
        "POST",
        "/transactions/batch",
        submit_batch,
        f"Submit up to {MAX_BATCH} transactions: a canonical CBOR array of byte strings, or a JSON list of hex.",
        Batch,
        takes=(CBOR, JSON),
        most_bytes=MAX_BATCH_BYTES,
        statuses={409: "not a batch"},
    ),
    Route(
        "GET",
        "/transactions/{id}",
        transaction,
        "What became of a transaction.",
        TxStatus,
        (
            Parameter("id", "32 bytes in hexadecimal.", "path", required=True, example="ab" * 32),
            Parameter("timeout_s", "How long to wait until it is final or dropped.", type="number", example=20.0),
        ),
        timeout_s=PATIENCE_S,
    ),
    Route(
        "GET",
        "/nonces/{public_key}",
        nonce,
        "The nonce for this key's next transaction, counting those that wait here.",
        TEXT,
        (Parameter("public_key", "33 bytes in hexadecimal.", "path", required=True, example="02" + "ab" * 32),),
    ),
)
