from __future__ import annotations

import socket

import pytest

from salus_chain.errors import ConfigError
from salus_chain.node.http.server import _listen


def test_connections_send_at_once() -> None:
    """Else the second part of each answer waits 40 ms for the client's delayed acknowledgement."""
    with _listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()) as client:
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert client


def test_a_taken_port_is_named() -> None:
    with _listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}: Address already in use"):
            _listen("127.0.0.1", port)
