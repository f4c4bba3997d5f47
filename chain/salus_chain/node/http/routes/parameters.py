"""What a request carries, as types that FastAPI checks and documents."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Header, Path, Query, Request
from pydantic import BeforeValidator, Field, WithJsonSchema

from salus_chain.node.http.clients import Service
from salus_chain.signing import KEY_HEADER, SIGNATURE_HEADER, TIME_HEADER

MAX_INTEGER: Final = (1 << 63) - 1
MAX_WAIT_S: Final = 30.0
MAX_LIMIT: Final = 100


def asked(request: Request) -> Service:
    """The service behind this interface. Called by itself where the time of a dependency counts."""
    service: Service = request.app.state.service
    return service


async def _asked(request: Request) -> Service:
    return asked(request)


def octets(digits: str) -> bytes:
    """Bytes in hexadecimal, with or without `0x`. Raises ValueError."""
    digits = digits.removeprefix("0x")
    if not digits.isalnum() and digits:  # `fromhex` lets spaces pass
        raise ValueError("bytes in hexadecimal are wanted")
    return bytes.fromhex(digits)


def _hexadecimal(example: str, length: str = "*") -> WithJsonSchema:
    """Tells of bytes as they are written; with the example, since pydantic takes nothing else beside it."""
    count = len(example) // 2
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": f"^(0x)?([0-9a-fA-F]{{2}}){length}$",
            "description": f"{count} bytes in hexadecimal.",
            "examples": [example],
        }
    )


Asked = Annotated[Service, Depends(_asked)]

Digest = Annotated[bytes, BeforeValidator(octets), Field(min_length=32, max_length=32), _hexadecimal("ab" * 32, "{32}")]
PublicKey = Annotated[
    bytes, BeforeValidator(octets), Field(min_length=33, max_length=33), _hexadecimal("02" + "ab" * 32, "{33}")
]

Task = Annotated[str, Query(alias="task", min_length=1, description="The task's name.", examples=["activity"])]
Round = Annotated[int, Query(alias="round", ge=0, le=MAX_INTEGER, description="The round's number.", examples=[3])]
Gateway = Annotated[str, Query(alias="gateway", min_length=1, description="The gateway's name.", examples=["ward-7"])]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.", examples=[20])]
Height = Annotated[int, Path(ge=0, le=MAX_INTEGER, description="From 1 upwards.", examples=[12])]
Wait = Annotated[float, Query(ge=0, le=MAX_WAIT_S, allow_inf_nan=False, description="How long to wait.", examples=[20])]

Signature = Annotated[bytes, BeforeValidator(octets), _hexadecimal("ab" * 64), Header(alias=SIGNATURE_HEADER)]
Key = Annotated[bytes, BeforeValidator(octets), _hexadecimal("02" + "ab" * 32), Header(alias=KEY_HEADER)]
TimeMs = Annotated[
    int,
    Header(
        alias=TIME_HEADER, ge=0, le=MAX_INTEGER, description="When, in Unix milliseconds.", examples=[1767225600000]
    ),
]
