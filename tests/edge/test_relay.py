"""A release reaches each wearable chunk by chunk, whatever is lost on the way."""

from __future__ import annotations

import random

import pytest

from salus_chain.proto import release_pb2
from salus_edge import relay
from salus_edge.link.release_sender import Transfer
from salus_edge.proto.link_pb2 import ReleaseStatus, State

MODEL = random.Random(1).randbytes(100_000)
MANIFEST = release_pb2.Manifest(task="wave", version=2, size_bytes=len(MODEL)).SerializeToString()
TRANSFER = Transfer(release_pb2.SignedManifest(manifest=MANIFEST).SerializeToString(), MODEL)


def online(version: int = 1) -> State:
    return State(link=State.ONLINE, model_version=version)


def status(progress: ReleaseStatus.Progress.ValueType, offset: int = 0, version: int = 2) -> ReleaseStatus:
    return ReleaseStatus(version=version, progress=progress, next_offset=offset)


class Wearable:
    """Takes messages in, and says where to go on."""

    def __init__(self) -> None:
        self.data = b""
        self.offers = 0

    def take(self, message: bytes) -> None:
        said = release_pb2.ReleaseMessage.FromString(message)
        if said.HasField("offer"):
            self.offers += 1
        elif said.chunk.offset == len(self.data):
            self.data += said.chunk.data

    def answer(self) -> ReleaseStatus:
        done = len(self.data) == len(MODEL)
        return status(ReleaseStatus.ACTIVE if done else ReleaseStatus.RECEIVING, len(self.data))


@pytest.mark.parametrize("loss", [0.0, 0.3])
def test_it_arrives_whole(loss: float) -> None:
    rng, wearable, now_ms = random.Random(4), Wearable(), 0
    step = relay.on_state(relay.Peer(), online(), TRANSFER, now_ms)
    for _ in range(400):
        heard = [message for message in step.messages if rng.random() >= loss]
        for message in heard:
            wearable.take(message)
        now_ms += 130_000
        if heard and rng.random() >= loss:
            step = relay.on_status(step.peer, wearable.answer(), TRANSFER, now_ms)
        else:
            step = relay.on_time(step.peer, TRANSFER, now_ms)
        if step.peer.version == 2:
            break
    assert wearable.data == MODEL
    assert step.peer.version == 2
    assert not relay.on_time(step.peer, TRANSFER, now_ms + 10**9).messages


def test_who_has_it_or_is_away_is_offered_nothing() -> None:
    assert not relay.on_state(relay.Peer(), online(2), TRANSFER, 0).messages
    assert not relay.offer(relay.Peer(), TRANSFER, 0).messages
    assert not relay.on_state(relay.Peer(), State(link=State.LEAVING), TRANSFER, 0).messages
    assert not relay.on_state(relay.Peer(), online(), None, 0).messages


def test_a_refusal_is_respected_until_the_wearable_comes_back() -> None:
    step = relay.on_state(relay.Peer(), online(), TRANSFER, 0)
    step = relay.on_status(step.peer, status(ReleaseStatus.REFUSED), TRANSFER, 1)
    assert not relay.on_time(step.peer, TRANSFER, 10**9).messages
    assert relay.on_state(step.peer, online(), TRANSFER, 10**9).messages


def test_silence_brings_the_offer_again_ever_later() -> None:
    step = relay.on_state(relay.Peer(), online(), TRANSFER, 0)
    asked = []
    for now_ms in range(0, 60_000, 1_000):
        step = relay.on_time(step.peer, TRANSFER, now_ms)
        asked += [now_ms] if step.messages else []
    assert asked == [5_000, 15_000, 35_000]
    assert not relay.on_time(relay.on_lost(step.peer), TRANSFER, 10**9).messages


def test_a_wearable_still_at_an_older_transfer_is_offered_the_new_one() -> None:
    step = relay.on_status(relay.Peer(online=True, version=0), status(ReleaseStatus.RECEIVING, 9, 1), TRANSFER, 0)
    (message,) = step.messages
    assert release_pb2.ReleaseMessage.FromString(message).HasField("offer")
