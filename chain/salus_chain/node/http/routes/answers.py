"""The answers that routes give, and how the document of the interface shows them."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from fastapi import Response

from salus_chain.node.http.media import JSON
from salus_chain.node.http.refusals import Problem
from salus_chain.views import Refusal, to_json

Responses: TypeAlias = dict[int | str, dict[str, Any]]

GONE: Final[Responses] = {404: {"model": Refusal, "description": "There is no such thing here."}}
REFUSED: Final[Responses] = {409: {"model": Refusal, "description": "A rule or a check refuses it."}}


def view(given: object) -> Response:
    return Response(to_json(given), media_type=JSON)


def found(given: object | None, what: str) -> Response:
    """The view, or 404 saying that there is no such thing."""
    if given is None:
        raise Problem(404, "not_found", f"{what} is not on this chain")
    return view(given)


def file(data: bytes | None, media_type: str, what: str) -> Response:
    """The bytes, or 404 saying that they are not here."""
    if data is None:
        raise Problem(404, "not_found", f"{what} is not here")
    return Response(data, media_type=media_type)


def gives(media_type: str) -> Responses:
    """Of a route whose answer is no view, or is not always one."""
    return {200: {"content": {media_type: {"schema": _file(media_type)}}}}


def takes(*media_types: str) -> dict[str, Any]:
    """Of a route that reads its body itself: FastAPI would parse one that says it is JSON, whatever its size."""
    return {"requestBody": {"required": True, "content": {each: {"schema": _body(each)} for each in media_types}}}


def _body(media_type: str) -> dict[str, Any]:
    hexadecimal = {"type": "string", "pattern": "^(0x)?([0-9a-fA-F]{2})*$"}
    return {"type": "array", "items": hexadecimal} if media_type == JSON else _file(media_type)


def _file(media_type: str) -> dict[str, Any]:
    return {"type": "string", "contentMediaType": media_type}
