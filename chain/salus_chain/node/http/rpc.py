"""What clients ask a validator over HTTP: JSON for views, canonical CBOR for what is signed or hashed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from salus_chain.node.http.clients import Service
from salus_chain.node.http.limits import Limits
from salus_chain.node.http.refusals import HANDLED, Refusals
from salus_chain.node.http.routes import proving, reading, submitting, watching
from salus_chain.views import Refusal


class Interface(FastAPI):
    """FastAPI with a document that says how byte strings are written, and shows an example of each view."""

    def openapi(self) -> dict[str, Any]:
        from salus_chain.node.http.openapi import document

        self.openapi_schema = self.openapi_schema or document(self.routes)
        return self.openapi_schema


def create_app(service: Service, refused: Callable[[str], None] = lambda code: None) -> FastAPI:
    """The HTTP face of one validator. A rule's refusal is status 409 with a code and a reason."""
    refusals = Refusals(refused)
    app = Interface(
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=_operation_id,
        responses={"default": {"model": Refusal, "description": "Why there is no answer."}},
        exception_handlers=dict.fromkeys(HANDLED, refusals.handle),
    )
    app.state.service = service
    for each in (submitting, reading, proving, watching):
        app.include_router(each.router)
    app.add_middleware(Limits, most_bytes={**submitting.MOST_BYTES, **proving.MOST_BYTES}, refusals=refusals)
    return app


def _operation_id(route: APIRoute) -> str:
    return f"{min(route.methods or ()).lower()}_{route.name.strip('_')}"
