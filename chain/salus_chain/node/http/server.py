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
from salus_chain.genesis import is_loopback
from salus_chain.node.http.rpc import create_app
from salus_chain.node.http.service import NodeService
from salus_chain.tls import credentials, server_context

if TYPE_CHECKING:
    from salus_chain.node.process import Node

MAX_CONNECTIONS: Final = 2_048
KEEP_ALIVE_S: Final = 30  # longer than clients keep an idle connection


class _Server(uvicorn.Server):
    """Leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(node: Node) -> None:
    """Serve clients until the node stops. Raises ConfigError when the address is wrong or taken."""
    host, port, tls = _address(node)
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
    config.load()
    if tls:
        config.ssl = server_context(credentials(node.ledger.identity.signer), None)
    server = _Server(config)
    with _listen(host, port) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
        await node.stopping.wait()
        service.stop()
        node.changed.set()
        server.should_exit = True
        await running


def _address(node: Node) -> tuple[str, int, bool]:
    """Where to listen, and whether by TLS: as its URL says, which `listen_http` may place elsewhere."""
    member = node.ledger.state.members.get(node.ledger.identity.signer.public_key)
    url = urlsplit(member.url if member else f"https://{node.listen_http}")
    tls = url.scheme == "https"
    if not tls and not is_loopback(url.hostname or ""):
        raise ConfigError(f"{url.geturl()}: without TLS on loopback addresses alone; give this validator an https URL")
    where = urlsplit(f"//{node.listen_http}") if node.listen_http else url
    if not where.hostname:
        raise ConfigError("listen_http: not a member yet, so say `host:port` to listen on")
    return where.hostname, where.port or (443 if tls else 80), tls


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send at once.

    asyncio sets TCP_NODELAY only where the socket's protocol is named, which `create_server` does not; without it an
    answer's second part waits 40 ms for the client's delayed acknowledgement of the first.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=1_024)
    except OSError as error:
        raise ConfigError(f"cannot listen for clients on {host}:{port}: {error.strerror}") from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
