"""How fast a console is: echoes of random bytes, one after the other, all compared."""

from __future__ import annotations

import secrets
import statistics
import time
from dataclasses import dataclass
from typing import Final

from salus_hil.console.client import Console
from salus_hil.errors import CommandFailed

ENVELOPE_BYTES: Final = 20  # version, request id, tags and lengths around an Echo's bytes: at most so many


@dataclass(frozen=True, slots=True)
class Throughput:
    """`bytes_per_s` of payload, each way at once; times are of a whole exchange."""

    payload_bytes: int
    exchanges: int
    bytes_per_s: float
    p50_ms: float
    p99_ms: float


def lengths(max_frame_bytes: int) -> list[int]:
    """Payloads worth measuring on a device that takes frames of `max_frame_bytes`."""
    longest = max_frame_bytes - ENVELOPE_BYTES
    return [*(length for length in (64, 1024, 4096, 8192) if length < longest), longest]


async def measure(console: Console, payload_bytes: int = 4096, seconds: float = 5.0) -> Throughput:
    """Raises CommandFailed `protocol` when other bytes come back, and what `Console.echo` raises."""
    times_ms: list[float] = []
    began_s = time.perf_counter()
    while (now_s := time.perf_counter()) - began_s < seconds or len(times_ms) < 2:
        data = secrets.token_bytes(payload_bytes)
        if await console.echo(data) != data:
            raise CommandFailed("protocol", f"{console.url}: an echo of {payload_bytes} bytes came back changed")
        times_ms.append((time.perf_counter() - now_s) * 1000)
    elapsed_s = time.perf_counter() - began_s
    cuts = statistics.quantiles(times_ms, n=100)
    return Throughput(payload_bytes, len(times_ms), payload_bytes * len(times_ms) / elapsed_s, cuts[49], cuts[98])
