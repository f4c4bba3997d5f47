"""What clients ask a validator over HTTP: JSON for views, canonical CBOR for what is signed or hashed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from salus_chain.node.clients import Service
from salus_chain.node.routes import proving, reading, submitting, watching
from salus_chain.node.web import App, Route

ROUTES: Final[tuple[Route[Service], ...]] = (*submitting.ROUTES, *reading.ROUTES, *proving.ROUTES, *watching.ROUTES)


def create_app(service: Service, refused: Callable[[str], None] = lambda code: None) -> App[Service]:
    """The HTTP face of one validator. A rule's refusal is status 409 with a code and a reason."""
    return App(service, ROUTES, refused)
