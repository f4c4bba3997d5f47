"""Ports of 127.0.0.1 that nobody listens on now."""

from __future__ import annotations

import socket


def free_ports(count: int) -> list[int]:
    """All different."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
