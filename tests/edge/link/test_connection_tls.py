"""The connection to a broker by TLS: whom the gateway believes, and who believes it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from salus_edge.link.connection import Connection
from salus_hil.rig.authority import Authority
from salus_hil.rig.broker import Mosquitto, mosquitto_path

pytestmark = pytest.mark.skipif(mosquitto_path() is None, reason="mosquitto is not installed")
PATIENCE_S = 15.0


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def certified() -> str:
    """Whom the broker's certificate is for; empty: for the broker."""
    return ""


@pytest.fixture
def broker(tmp_path: Path, authority: Authority, certified: str) -> Iterator[Mosquitto]:
    made = Mosquitto(tmp_path / "broker", authority=authority, certified=certified)
    made.start()
    yield made
    made.kill()


def url(broker: Mosquitto, folder: Path, believed: Authority, proved_by: Authority | None) -> str:
    """As a gateway's configuration has it; the files it names are written."""
    (folder / "ca.pem").write_bytes(believed.pem)
    if proved_by is None:
        return f"{broker.tls_url}?ca={folder}/ca.pem"
    issued = proved_by.issue("gateway")
    (folder / "certificate.pem").write_bytes(issued.certificate_pem)
    (folder / "key.pem").write_bytes(issued.key_pem)
    return f"{broker.tls_url}?ca={folder}/ca.pem&cert={folder}/certificate.pem&key={folder}/key.pem"


async def nothing(topic: str, payload: bytes) -> None:
    raise AssertionError(f"{topic} arrived")


async def stays_out(broker: Mosquitto, address: str) -> None:
    """The handshake fails, by one side or the other."""
    connection = Connection(address, "gateway", ["a"])
    running = asyncio.create_task(connection.run(nothing))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not broker.refusals:
                assert not connection.connected.is_set()
                await asyncio.sleep(0.02)
        assert not connection.connected.is_set() and not running.done()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_both_sides_prove_themselves_and_messages_go_both_ways(
    broker: Mosquitto, tmp_path: Path, authority: Authority
) -> None:
    arrived: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    async def take(topic: str, payload: bytes) -> None:
        await arrived.put((topic, payload))

    connection = Connection(url(broker, tmp_path, authority, authority), "gateway", ["a/+"])
    running = asyncio.create_task(connection.run(take))
    try:
        async with asyncio.timeout(PATIENCE_S):
            await connection.connected.wait()
            await connection.publish("a/b", b"sealed")
            assert await arrived.get() == ("a/b", b"sealed")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert broker.refusals == 0


async def test_without_a_certificate_it_stays_out(broker: Mosquitto, tmp_path: Path, authority: Authority) -> None:
    await stays_out(broker, url(broker, tmp_path, authority, None))


async def test_with_another_authoritys_certificate_it_stays_out(
    broker: Mosquitto, tmp_path: Path, authority: Authority
) -> None:
    await stays_out(broker, url(broker, tmp_path, authority, Authority("another")))


async def test_a_broker_of_another_authority_is_not_believed(
    broker: Mosquitto, tmp_path: Path, authority: Authority
) -> None:
    await stays_out(broker, url(broker, tmp_path, Authority("another"), authority))


@pytest.mark.parametrize("certified", ["broker.elsewhere"])
async def test_a_certificate_for_another_host_is_not_believed(
    broker: Mosquitto, tmp_path: Path, authority: Authority
) -> None:
    await stays_out(broker, url(broker, tmp_path, authority, authority))
