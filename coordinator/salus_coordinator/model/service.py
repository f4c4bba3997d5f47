"""The builder that stays alive: settled weights in, an int8 base and its unsigned manifest out."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock

import numpy as np
import uvicorn
from fastapi import FastAPI, Request, Response

from salus_chain.codec import encode
from salus_chain.errors import DecodeError
from salus_chain.fixed import to_float
from salus_chain.updates import model_digest
from salus_coordinator.errors import ModelError
from salus_coordinator.model import package
from salus_coordinator.model.manifest import Origin, base_manifest
from salus_coordinator.model.quantise import quantise
from salus_coordinator.order import Order

CBOR = "application/cbor"


@dataclass
class Builder:
    """A package in memory and what it has been asked before; one order at a time."""

    package: package.Package
    lock: Lock = field(default_factory=Lock)

    def requantise(self, order: Order) -> tuple[bytes, bytes]:
        """(base .tflite, unsigned manifest). Raises ModelError: `wrong_model`, or a gate that fails."""
        made = self.package
        if len(order.model) != 4 * made.layout.size:
            have = len(order.model)
            raise ModelError("wrong_model", f"{have} bytes of weights where {4 * made.layout.size} are laid out")
        model = np.frombuffer(order.model, "<i4").astype(np.int32)
        if model_digest(made.layout.digest, model) != order.settled_model_digest:
            raise ModelError("wrong_model", "the weights do not have the settled digest; fetch them again")
        with self.lock:
            quantised = quantise(made.task, to_float(model), made.reference)
        origin = Origin(order.version, order.settled_model_digest, order.settled_round, order.parent_sha256)
        program = sha256(made.program).digest()
        return quantised.model, base_manifest(made.task, made.layout, quantised, made.reference, program, origin)


def application(builder: Builder) -> FastAPI:
    """`GET /ready`; `POST /requantise` takes an Order, answers canonical CBOR [base, manifest], or 409 with
    code and reason.
    """
    app = FastAPI(title="Salus builder", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/ready")
    def ready() -> dict[str, str]:
        return {"task": builder.package.task.name, "base_sha256": sha256(builder.package.base).hexdigest()}

    @app.post("/requantise")
    async def requantise(request: Request) -> Response:
        try:
            answer = encode(builder.requantise(Order.decode(await request.body())))
        except (DecodeError, ModelError) as error:
            code = error.code if isinstance(error, ModelError) else "malformed"
            content = encode((code.encode(), str(error).encode()))
            return Response(content, status_code=409, media_type=CBOR)
        return Response(answer, media_type=CBOR)

    return app


def serve(folder: Path, host: str, port: int) -> None:
    """Serve the package in `folder` until the process is stopped."""
    builder = Builder(package.read(folder))
    uvicorn.run(application(builder), host=host, port=port, log_level="warning", access_log=False)
