"""The base first, then the patient's own release, to her wearable alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus_chain.keys import PemSigner
from salus_chain.proto.release_pb2 import Manifest, ReleaseMessage
from salus_edge import bases
from salus_edge.config import Settings, read_settings
from salus_edge.downlink import Downlink
from salus_edge.proto.link_pb2 import ReleaseStatus, State
from salus_edge.releasing import Releasing
from salus_edge.renewal import renew
from salus_edge.store import Database
from tests.edge.test_renewal import ALARM, NOW_MS, measure, signer
from tests.edge.world import write_world

__all__ = ["signer"]
DEVICE = "wearable-anna"


class Heard(Downlink):
    """What was sent, unsealed."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, ReleaseMessage]] = []

    async def send(self, device: str, kind: str, plaintext: bytes) -> bool:
        assert kind == "release"
        self.sent.append((device, ReleaseMessage.FromString(plaintext)))
        return True

    def offers(self) -> list[tuple[str, int]]:
        return [
            (device, Manifest.FromString(each.offer.manifest).version)
            for device, each in self.sent
            if each.HasField("offer")
        ]


@pytest.fixture
def settings(tmp_path: Path, package_folder: Path) -> Settings:
    return read_settings(write_world(tmp_path, package_folder, changes={"alarm": ALARM}))


@pytest.fixture
def downlink() -> Heard:
    return Heard()


@pytest.fixture
def releasing(settings: Settings, database: Database, downlink: Heard, signer: PemSigner) -> Releasing:
    """Anna's release is made, bert has none."""
    measure(settings, database)
    assert renew(database, settings, signer, "anna", NOW_MS)
    return Releasing(settings, database, downlink, settings.patients)


def online(version: int = 1, personal_version: int = 0) -> State:
    return State(link=State.ONLINE, model_version=version, personal_version=personal_version)


def status(progress: ReleaseStatus.Progress.ValueType, offset: int = 0, personal: bool = True) -> ReleaseStatus:
    version = NOW_MS // 1000 if personal else 1
    return ReleaseStatus(version=version, progress=progress, next_offset=offset, personal=personal)


async def test_a_wearable_with_the_newest_base_is_offered_its_patients_release(
    releasing: Releasing, downlink: Heard
) -> None:
    await releasing.on_state(DEVICE, online())
    await releasing.on_state("wearable-bert", online())
    assert downlink.offers() == [(DEVICE, NOW_MS // 1000)]
    await releasing.on_status(DEVICE, status(ReleaseStatus.RECEIVING, 1000))
    assert (downlink.sent[-1][0], downlink.sent[-1][1].chunk.offset) == (DEVICE, 1000)
    count = len(downlink.sent)
    await releasing.on_status(DEVICE, status(ReleaseStatus.ACTIVE))
    assert len(downlink.sent) == count


async def test_one_that_has_it_is_not_offered_it_again(releasing: Releasing, downlink: Heard) -> None:
    await releasing.on_state(DEVICE, online(personal_version=NOW_MS // 1000))
    assert downlink.sent == []


async def test_with_another_base_it_waits(releasing: Releasing, downlink: Heard) -> None:
    await releasing.on_state(DEVICE, online(version=2))
    assert downlink.sent == []
    await releasing.on_state(DEVICE, State(link=State.LEAVING, model_version=1))
    assert downlink.sent == []


async def test_a_refusal_of_it_says_nothing_about_bases(
    releasing: Releasing, downlink: Heard, database: Database, settings: Settings
) -> None:
    await releasing.on_state(DEVICE, online())
    await releasing.on_status(DEVICE, status(ReleaseStatus.REFUSED))
    assert len(downlink.sent) == 1
    assert releasing._bases[DEVICE].refused == 0
    assert bases.current(database, settings, "wave").version == 1
