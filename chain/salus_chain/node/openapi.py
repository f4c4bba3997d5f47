"""The OpenAPI 3.1 document of a validator's HTTP interface, from its table of routes and the views' own types."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from salus_chain.node.rpc import ROUTES
from salus_chain.node.samples import SAMPLES
from salus_chain.node.web import JSON, Parameter, Route
from salus_chain.views import Refusal, to_json

BYTES: Final = {"type": "string", "pattern": "^0x([0-9a-f]{2})*$"}
SCHEMAS: Final = "#/components/schemas/{name}"


def document() -> dict[str, Any]:
    """The same for every validator of this version."""
    views = sorted(
        {each.gives for each in ROUTES if isinstance(each.gives, type)} | {Refusal}, key=lambda v: v.__name__
    )
    _, schemas = msgspec.json.schema_components(views, ref_template=SCHEMAS)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Salus validator",
            "version": "1",
            "description": "Byte strings in JSON are `0x` and hexadecimal. A refusal has a code and a reason.",
        },
        "paths": paths,
        "components": {"schemas": {name: _with_bytes(schema) for name, schema in schemas.items()}},
    }


def _operation(route: Route[Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.about,
        "operationId": f"{route.method.lower()}_{route.handle.__name__.strip('_')}",
        "parameters": [_parameter(each) for each in route.parameters],
        "responses": {"200": {"description": "The answer.", "content": _content(route)}},
    }
    if route.takes:
        content = {media_type: {"schema": _body(media_type)} for media_type in route.takes}
        operation["requestBody"] = {"required": True, "content": content}
    for status, meaning in route.statuses.items():
        operation["responses"][str(status)] = _refusal(meaning)
    operation["responses"]["default"] = _refusal("Anything else that went wrong.")
    return operation


def _content(route: Route[Any]) -> dict[str, Any]:
    if isinstance(route.gives, type):
        reference = {"$ref": SCHEMAS.format(name=route.gives.__name__)}
        return {JSON: {"schema": reference, "example": json.loads(to_json(SAMPLES[route.gives]))}}
    return {route.gives: {"schema": {"type": "object"} if route.gives == JSON else _file(route.gives)}}


def _body(media_type: str) -> dict[str, Any]:
    hexadecimal = {"type": "string", "pattern": "^(0x)?([0-9a-fA-F]{2})*$"}
    return {"type": "array", "items": hexadecimal} if media_type == JSON else _file(media_type)


def _file(media_type: str) -> dict[str, Any]:
    return {"type": "string", "contentMediaType": media_type}


def _parameter(each: Parameter) -> dict[str, Any]:
    return {
        "name": each.name,
        "in": each.place,
        "required": each.required,
        "description": each.about,
        "schema": {"type": each.type},
        "example": each.example,
    }


def _refusal(meaning: str) -> dict[str, Any]:
    reference = {"$ref": SCHEMAS.format(name=Refusal.__name__)}
    sample = json.loads(to_json(SAMPLES[Refusal]))
    return {"description": meaning, "content": {JSON: {"schema": reference, "example": sample}}}


def _with_bytes(schema: Any) -> Any:
    """The schema with byte strings as we write them."""
    if isinstance(schema, list):
        return [_with_bytes(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("contentEncoding") == "base64":
        return BYTES
    return {name: _with_bytes(each) for name, each in schema.items()}
