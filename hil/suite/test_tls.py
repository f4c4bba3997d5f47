"""The way to a broker that wants both sides to prove themselves (mutual TLS)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from salus_edge.proto import console_pb2 as pb
from salus_hil.rig.authority import Authority
from salus_hil.rig.broker import Mosquitto
from salus_hil.rig.driver import Wearable
from salus_hil.rig.gateway import RigGateway
from salus_hil.rig.identity import Identity
from salus_hil.rig.package import Release, recording
from salus_hil.rig.rigfile import RigWearable

pytestmark = pytest.mark.needs("network")
START_MS = 1_767_225_600_000
TRIES = 3  # after which a wearable that is out stays out


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def certified() -> str:
    """Whom the broker's certificate is for; empty: for the broker."""
    return ""


@pytest.fixture
def broker(rig_wearable: RigWearable, tmp_path: Path, authority: Authority, certified: str) -> Iterator[Mosquitto]:
    """The gateway reaches it without TLS, over the loopback."""
    made = Mosquitto(tmp_path / "broker", rig_wearable.entry.broker_host, authority, certified)
    made.start()
    yield made
    made.kill()


def trusting(authority: Authority) -> pb.Provision:
    return pb.Provision(broker_ca_pem=authority.pem)


def proving(authority: Authority) -> pb.Provision:
    """A certificate of this authority's for the wearable."""
    issued = authority.issue("wearable")
    return pb.Provision(client_certificate_pem=issued.certificate_pem, client_key_pem=issued.key_pem)


@pytest.fixture
def enrol(wearable: Wearable, broker: Mosquitto, identity: Identity, release: Release) -> Callable[..., None]:
    """Makes the wearable somebody's, after telling it these."""

    def tell(*first: pb.Provision) -> None:
        for each in first:
            wearable.provision(each)
        wearable.enrol(identity, broker.tls_url)
        wearable.must_take(release.signed(identity))

    return tell


def stays_out(wearable: Wearable, broker: Mosquitto) -> None:
    """It tries, and tries again, and its link does not come up."""
    wearable.wait(lambda said: broker.refusals >= TRIES, "handshakes that fail")
    assert not wearable.status().link_up


def test_both_sides_prove_themselves_and_nothing_is_lost(
    wearable: Wearable, broker: Mosquitto, gateway: RigGateway, authority: Authority, enrol: Callable[..., None]
) -> None:
    enrol(trusting(authority), proving(authority))
    wearable.wait(lambda said: said.link_up, "link to the broker")
    reply = wearable.inject_patiently(recording(20.0), START_MS)
    wearable.wait(lambda said: said.ring_packets == 0, "empty ring")
    assert sum(len(batch.start_ms) for batch in gateway.features) == reply.windows > 0
    assert broker.refusals == 0


def test_without_a_certificate_it_stays_out_until_it_is_given_one(
    wearable: Wearable, broker: Mosquitto, authority: Authority, enrol: Callable[..., None]
) -> None:
    enrol(trusting(authority))
    stays_out(wearable, broker)
    wearable.provision(proving(authority))
    wearable.wait(lambda said: said.link_up, "link to the broker")


def test_a_broker_of_another_authority_hears_nothing(
    wearable: Wearable, broker: Mosquitto, gateway: RigGateway, authority: Authority, enrol: Callable[..., None]
) -> None:
    enrol(trusting(Authority("another")), proving(authority))
    stays_out(wearable, broker)
    assert gateway.raw == []
    wearable.provision(trusting(authority))
    wearable.wait(lambda said: said.link_up, "link to the broker")


@pytest.mark.parametrize("certified", ["broker.elsewhere"])
def test_a_certificate_for_another_host_is_not_believed(
    wearable: Wearable, broker: Mosquitto, gateway: RigGateway, authority: Authority, enrol: Callable[..., None]
) -> None:
    enrol(trusting(authority), proving(authority))
    stays_out(wearable, broker)
    assert gateway.raw == []
