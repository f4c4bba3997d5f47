"""Who a wearable is: told once, never said again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salus_edge.proto import console_pb2 as pb
from salus_hil.errors import CommandFailed
from salus_hil.rig.driver import Wearable
from salus_hil.rig.enrolment import Settings, provisioning
from salus_hil.rig.identity import Identity
from salus_hil.rig.package import Release

NOWHERE = "mqtt://127.0.0.1:9"  # the discard port: nobody answers


def test_enrolment_outlives_a_reset(wearable: Wearable, identity: Identity) -> None:
    wearable.enrol(identity, NOWHERE)
    assert wearable.hello().provisioned and wearable.hello().device == identity.device
    hello = wearable.reset()
    assert hello.provisioned and hello.device == identity.device


def test_who_it_is_is_set_once_and_saying_the_same_again_is_no_change(wearable: Wearable, identity: Identity) -> None:
    wearable.enrol(identity, NOWHERE)
    wearable.enrol(identity, NOWHERE)
    for other in (
        replace(identity, device="another"),
        replace(identity, federation="another"),
        replace(identity, link_secret=bytes(31) + b"!"),
        replace(identity, chain_id=bytes(31) + b"!"),
        replace(identity, release=identity.gateway),
    ):
        with pytest.raises(CommandFailed) as refused:
            wearable.enrol(other, NOWHERE)
        assert refused.value.code == "already_set"
    assert wearable.hello().device == identity.device


def test_the_broker_may_change(wearable: Wearable, identity: Identity) -> None:
    wearable.enrol(identity, NOWHERE)
    wearable.provision(pb.Provision(broker_url="mqtt://127.0.0.1:10"))
    assert wearable.hello().provisioned


@pytest.mark.parametrize(
    "wrong",
    [
        pb.Provision(device="Not An Id"),
        pb.Provision(federation="salus/+"),
        pb.Provision(link_secret=b"short"),
        pb.Provision(chain_id=bytes(33)),
        pb.Provision(release_public_key=bytes(33)),
        pb.Provision(broker_url="http://127.0.0.1"),
    ],
    ids=lambda wrong: str(wrong.ListFields()[0][0].name),
)
def test_what_cannot_be_is_refused_and_changes_nothing(wearable: Wearable, wrong: pb.Provision) -> None:
    before = wearable.hello()
    with pytest.raises(CommandFailed) as refused:
        wearable.provision(wrong)
    assert refused.value.code == "malformed"
    assert wearable.hello() == before


def test_no_secret_comes_back(wearable: Wearable, identity: Identity, release: Release) -> None:
    """Everything that it answers to everything it is asked, and its log."""
    secrets = {"wifi": "correct horse battery", "broker": "staple"}
    message = provisioning(identity, f"mqtt://rig:{secrets['broker']}@127.0.0.1:9", Settings())
    message.wifi_ssid, message.wifi_password = "ward", secrets["wifi"]
    wearable.provision(message)
    wearable.must_take(release.signed(identity))
    answers = [wearable.hello(), wearable.status(), wearable.statistics(), wearable.golden()]
    answers += [wearable.reset(), wearable.status()]
    said = b"".join(each.SerializeToString() for each in answers) + "".join(wearable.logs()).encode()
    assert identity.link_secret not in said
    for secret in secrets.values():
        assert secret.encode() not in said


def test_a_factory_erase_forgets_everything(wearable: Wearable, identity: Identity, release: Release) -> None:
    factory = wearable.hello()
    wearable.enrol(identity, NOWHERE)
    wearable.must_take(release.signed(identity))
    assert wearable.factory_erase() == factory
    assert wearable.hello() == factory
    wearable.enrol(Identity(), NOWHERE)


def test_an_erased_secret_never_comes_again(wearable: Wearable, identity: Identity) -> None:
    """What was heard and said under it is forgotten, so its nonces would repeat."""
    wearable.enrol(identity, NOWHERE)
    wearable.factory_erase()
    with pytest.raises(CommandFailed) as refused:
        wearable.enrol(identity, NOWHERE)
    assert refused.value.code == "spent_secret"
