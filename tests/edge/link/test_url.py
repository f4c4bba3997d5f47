"""Broker URLs."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus_edge.errors import ConfigError
from salus_edge.link.url import read_url


def test_a_plain_url() -> None:
    broker = read_url("mqtt://localhost")
    assert (broker.host, broker.port, broker.tls, broker.username) == ("localhost", 1883, False, None)
    assert broker.context() is None


def test_a_url_with_everything() -> None:
    broker = read_url(
        "mqtts://me:p%40ss@broker.example:8884?ca=ca.pem&cert=c.pem&key=/k.pem", Path("/etc/salus/g.toml")
    )
    assert (broker.port, broker.username, broker.password) == (8884, "me", "p@ss")
    assert (broker.ca, broker.cert, broker.key) == ("/etc/salus/ca.pem", "/etc/salus/c.pem", "/k.pem")
    assert "p@ss" not in str(broker)


@pytest.mark.parametrize(
    "url",
    ["http://x", "mqtt://", "localhost:1883", "mqtt://x:99999", "mqtt://x?ca=a", "mqtts://x?what=a", "mqtts://x:port"],
)
def test_a_wrong_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        read_url(url)


def test_a_certificate_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigError, match="does not load"):
        read_url("mqtts://x?ca=/nowhere/ca.pem").context()
