"""Topics and broker addresses, to and fro."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_edge.errors import ConfigError, Refused
from salus_edge.link import DOWNWARD, UPWARD, Address, parse, topic
from salus_edge.link.url import read_url

IDS = st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True)


@given(IDS, IDS, st.sampled_from([*UPWARD, *DOWNWARD]))
def test_a_topic_reads_back(federation: str, device: str, kind: str) -> None:
    assert parse(topic(federation, device, kind)) == Address(federation, device, kind)


@pytest.mark.parametrize(
    "text", ["", "salus/1/f/d", "salus/2/f/d/state", "salus/1/f/d/state/x", "salus/1/F/d/state", "salus/1/f/d/other",
             "salus/1/f/+/state", f"salus/1/f/{'d' * 41}/state", "salus/1/f/d\n/state"]
)  # fmt: skip
def test_another_topic_is_malformed(text: str) -> None:
    with pytest.raises(Refused, match="malformed"):
        parse(text)


def test_a_broker_url_is_read_whole(tmp_path: Path) -> None:
    broker = read_url("mqtts://nurse:p%40ss@broker:9000?ca=ca.pem&cert=c.pem&key=k.pem", tmp_path / "w.toml")
    assert (broker.host, broker.port, broker.tls) == ("broker", 9000, True)
    assert (broker.username, broker.password) == ("nurse", "p@ss")
    assert broker.ca == str(tmp_path / "ca.pem") and "p@ss" not in str(broker)
    assert (read_url("mqtt://h").port, read_url("mqtts://h").port) == (1883, 8883)


@pytest.mark.parametrize("url", ["http://h", "mqtt://", "mqtt://h:x", "mqtt://h?ca=a", "mqtts://h?unknown=a", "h:1883"])
def test_a_wrong_broker_url_says_so(url: str) -> None:
    with pytest.raises(ConfigError, match="broker"):
        read_url(url)


def test_a_missing_ca_says_so() -> None:
    with pytest.raises(ConfigError, match="does not load"):
        read_url("mqtts://h?ca=/nowhere.pem").context()
