"""The HTTP server of a node: uvicorn on the seat's address, until the node stops."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import uvicorn

from salus_chain.errors import ConfigError
from salus_chain.node.rpc import create_app
from salus_chain.node.service import NodeService

if TYPE_CHECKING:
    from salus_chain.node.process import Node

MAX_CONNECTIONS: Final = 2_048
KEEP_ALIVE_S: Final = 75


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(node: Node) -> None:
    """Serve clients at the member's URL until the node stops. Raises ConfigError when the port is taken."""
    url = urlsplit(node.genesis.validators[node.genesis.keys.index(node.ledger.identity.signer.public_key)].url)
    service = NodeService(node)
    config = uvicorn.Config(
        create_app(service, service.meter.refused),
        http="httptools",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        date_header=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=1,
    )
    server = _Server(config)
    with _listen(url.hostname or "", url.port or 80) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
        await node.stopping.wait()
        service.stop()
        node.changed.set()
        server.should_exit = True
        await running


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1_024)
    except OSError as error:
        raise ConfigError(f"cannot listen for clients on {host}:{port}: {error.strerror}") from None
