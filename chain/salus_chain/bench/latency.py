"""One transaction at a time: from submit, at a validator that is not the proposer, to final at the same client."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final
from urllib.parse import urlsplit

from salus_chain.bench.network import LocalNetwork
from salus_chain.bench.people import Hospital
from salus_chain.errors import ChainError
from salus_chain.tls import client_context

WARM_UP: Final = 20
WAIT_S: Final = 30.0
TIMEOUT_S: Final = 60.0
BINARY: Final = {"content-type": "application/octet-stream"}
SYNC_BYTES: Final = 256  # about a vote's record
SYNCS: Final = 200


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; `count` transactions of `tx_bytes` bytes."""

    p50_ms: float
    p95_ms: float
    count: int
    tx_bytes: int


def measure(network: LocalNetwork, hospital: Hospital, nonce: int, count: int) -> Latency:
    """Transactions in turn over all validators but the proposer of the next block.

    The client is the standard library's, over one kept connection to each validator: it takes a tenth of the
    processor time of a comfortable one, on the same cores as the validators.
    """
    seats = len(network.seats)
    took_ms, size = [], 0
    clients = {seat: _Client(network, seat) for seat in network.seats}
    height = clients[0].height()
    for number in range(WARM_UP + count):
        proposer = (height + 1) % seats
        seat = (proposer + 1 + number % max(1, seats - 1)) % seats
        tx = hospital.consent(nonce + number)
        began = time.perf_counter()
        height = clients[seat].submit_final(tx)
        if number >= WARM_UP:
            took_ms.append(1e3 * (time.perf_counter() - began))
        size = len(tx)
        for client in clients.values():  # the next transaction meets an idle chain
            client.wait_height(height)
    for client in clients.values():
        client.close()
    return Latency(median(took_ms), quantiles(took_ms, n=20)[-1], count, size)


class _Client:
    """One validator's HTTP interface, one question at a time."""

    def __init__(self, network: LocalNetwork, seat: int) -> None:
        where = urlsplit(network.url(seat))
        context = client_context(network.founded.genesis.keys)
        self._http = HTTPSConnection(where.hostname or "", where.port, context=context, timeout=TIMEOUT_S)

    def submit_final(self, tx: bytes) -> int:
        """The height at which it is final. Raises ChainError."""
        answer = self._ask("POST", f"/transactions?wait_s={WAIT_S:g}", tx)
        if answer.get("status") != "final":
            raise ChainError(f"bench: a transaction is {answer} after {WAIT_S:g} s")
        return int(answer["height"])

    def height(self) -> int:
        return int(self._ask("GET", "/status")["height"])

    def wait_height(self, height: int) -> None:
        self._ask("GET", f"/wait?above={height - 1}&timeout_s={WAIT_S:g}")

    def close(self) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        self._http.request(method, path, body, BINARY if body else {})
        answer: dict[str, Any] = json.loads(self._http.getresponse().read())
        return answer


def fdatasync_ms(folder: Path) -> float:
    """The median time of this disk to make a small appended record durable."""
    took_ms = []
    path = folder / "fdatasync"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(SYNCS):
            os.write(descriptor, bytes(SYNC_BYTES))
            began = time.perf_counter()
            os.fdatasync(descriptor)
            took_ms.append(1e3 * (time.perf_counter() - began))
    finally:
        os.close(descriptor)
        path.unlink()
    return median(took_ms)
