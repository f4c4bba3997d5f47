"""The OpenAPI 3.1 document of a validator's HTTP interface: FastAPI's, with byte strings as we write them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from salus_chain.node.http.samples import SAMPLES
from salus_chain.views import to_json

BYTES: Final = {"type": "string", "pattern": "^0x([0-9a-f]{2})*$"}


def document(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The same for every validator of this version."""
    found = get_openapi(
        title="Salus validator",
        version="1",
        description="Byte strings in JSON are `0x` and hexadecimal. A refusal has a code and a reason.",
        routes=routes,
    )
    schemas = _with_bytes(found["components"]["schemas"])
    for view, sample in SAMPLES.items():
        schemas[view.__name__]["examples"] = [json.loads(to_json(sample))]
    return {**found, "components": {"schemas": schemas}}


def _with_bytes(schema: Any) -> Any:
    """The schema with byte strings as hexadecimal, where pydantic has them as they are."""
    if isinstance(schema, list):
        return [_with_bytes(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "string" and ("contentMediaType" in schema or schema.get("format") == "binary"):
        return BYTES
    return {name: _with_bytes(each) for name, each in schema.items()}
