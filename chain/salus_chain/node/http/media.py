"""The media types of a validator's HTTP interface."""

from __future__ import annotations

from typing import Final

JSON: Final = "application/json"
CBOR: Final = "application/cbor"
BINARY: Final = "application/octet-stream"
TEXT: Final = "text/plain; charset=utf-8"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
EVENT_STREAM: Final = "text/event-stream"
