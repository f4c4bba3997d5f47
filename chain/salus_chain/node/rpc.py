"""What clients ask a validator over HTTP: JSON for views, canonical CBOR for what is signed or hashed."""

from __future__ import annotations

from typing import Final, Protocol

from fastapi import FastAPI, Query, Request, Response

from salus_chain.codec import MAX_BYTES, encode
from salus_chain.errors import DecodeError, Rejected
from salus_chain.rules.transactions import MAX_TX_BYTES, Receipt
from salus_chain.signing import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER
from salus_chain.views import Approval, GatewayView, RoundView, Status, TaskView, TxStatus, to_json

MAX_WAIT_S: Final = 30.0
BINARY: Final = "application/octet-stream"
JSON: Final = "application/json"


class Service(Protocol):
    """What the node does for clients; a table of answers in tests."""

    def status(self) -> Status: ...
    async def wait(self, above: int, timeout_s: float) -> Status: ...
    def next_nonce(self, public_key: bytes) -> int: ...
    def submit(self, data: bytes) -> bytes: ...
    async def transaction(self, tx_id: bytes, timeout_s: float) -> TxStatus: ...
    def task(self, task: str) -> TaskView | None: ...
    def round(self, task: str, number: int) -> RoundView | None: ...
    def gateway(self, gateway: str) -> GatewayView | None: ...
    async def take_update(self, data: bytes, signature: bytes) -> Receipt: ...
    async def blob(self, digest: bytes, key: bytes, time_ms: int, signature: bytes) -> bytes | None: ...
    async def approve(self, candidate: bytes) -> Approval: ...
    def settlement_proof(self, task: str, number: int) -> bytes | None: ...
    def update_proof(self, task: str, number: int, gateway: str) -> bytes | None: ...
    def release_proof(self, task: str) -> bytes | None: ...
    def withdrawal_proof(self, consent: bytes) -> bytes | None: ...
    def model_proof(self, task: str) -> bytes | None: ...
    def members_proof(self) -> bytes | None: ...


def create_app(service: Service) -> FastAPI:
    """The HTTP face of one validator. A refusal is status 409 with a code and a reason."""
    app = FastAPI(title="Salus validator", docs_url=None, redoc_url=None)

    @app.exception_handler(Rejected)
    async def refused(request: Request, error: Rejected) -> Response:
        return _json(TxStatus("dropped", 0, error.code, error.reason), 409)

    @app.exception_handler(DecodeError)
    async def malformed(request: Request, error: DecodeError) -> Response:
        return _json(TxStatus("dropped", 0, "malformed", str(error)), 409)

    @app.get("/status")
    async def status() -> Response:
        return _json(service.status())

    @app.get("/wait")
    async def wait(above: int, timeout_s: float = Query(ge=0, le=MAX_WAIT_S)) -> Response:
        return _json(await service.wait(above, timeout_s))

    @app.get("/nonces/{public_key}")
    async def nonce(public_key: str) -> Response:
        return Response(str(service.next_nonce(_octets(public_key, "public key", 33))), media_type="text/plain")

    @app.post("/transactions")
    async def submit(request: Request) -> Response:
        return Response(service.submit(await _body(request, MAX_TX_BYTES)), media_type=BINARY)

    @app.get("/transactions/{tx_id}")
    async def transaction(tx_id: str, timeout_s: float = Query(0.0, ge=0, le=MAX_WAIT_S)) -> Response:
        return _json(await service.transaction(_octets(tx_id, "transaction id", 32), timeout_s))

    @app.get("/task")
    async def task(task: str) -> Response:
        return _found(service.task(task))

    @app.get("/round")
    async def round_(task: str, round: int) -> Response:
        return _found(service.round(task, round))

    @app.get("/gateway")
    async def gateway(gateway: str) -> Response:
        return _found(service.gateway(gateway))

    @app.post("/updates")
    async def update(request: Request) -> Response:
        signature = _octets(request.headers.get(SIGNATURE_HEADER, ""), SIGNATURE_HEADER)
        receipt = await service.take_update(await _body(request, MAX_BYTES), signature)
        return Response(encode(receipt.value()), media_type=BINARY)

    @app.get("/blobs/{digest}")
    async def blob(digest: str, request: Request) -> Response:
        headers = request.headers
        time_ms = headers.get(TIME_HEADER, "0")
        data = await service.blob(
            _octets(digest, "digest", 32),
            _octets(headers.get(KEY_HEADER, ""), KEY_HEADER),
            int(time_ms) if time_ms.isdecimal() else 0,
            _octets(headers.get(SIGNATURE_HEADER, ""), SIGNATURE_HEADER),
        )
        return _binary(data)

    @app.post("/approvals")
    async def approve(request: Request) -> Response:
        return _json(await service.approve(await _body(request, MAX_BYTES)))

    @app.get("/proofs/settlement")
    async def settlement_proof(task: str, round: int) -> Response:
        return _binary(service.settlement_proof(task, round))

    @app.get("/proofs/release")
    async def release_proof(task: str) -> Response:
        return _binary(service.release_proof(task))

    @app.get("/proofs/update")
    async def update_proof(task: str, round: int, gateway: str) -> Response:
        return _binary(service.update_proof(task, round, gateway))

    @app.get("/proofs/withdrawal")
    async def withdrawal_proof(consent: str) -> Response:
        return _binary(service.withdrawal_proof(_octets(consent, "consent", 32)))

    @app.get("/proofs/model")
    async def model_proof(task: str) -> Response:
        return _binary(service.model_proof(task))

    @app.get("/proofs/members")
    async def members_proof() -> Response:
        return _binary(service.members_proof())

    return app


def _json(view: object, status_code: int = 200) -> Response:
    return Response(to_json(view), status_code, media_type=JSON)


def _found(view: object | None) -> Response:
    return Response(status_code=404) if view is None else _json(view)


def _binary(data: bytes | None) -> Response:
    return Response(status_code=404) if data is None else Response(data, media_type=BINARY)


def _octets(digits: str, what: str, length: int | None = None) -> bytes:
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if len(data) * 2 != len(digits) or length not in (None, len(data)):
        raise DecodeError(f"{what}: {length or 'some'} bytes in hexadecimal are wanted")
    return data


async def _body(request: Request, most: int) -> bytes:
    """The request's body. Raises Rejected `too_large` before more than `most` bytes are held."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise Rejected("too_large", f"more than {most} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
