"""The gateway's side of a transfer: offer, then the chunk that is asked for, to the end."""

from __future__ import annotations

from hashlib import sha256

import pytest

from salus_chain.proto.release_pb2 import Manifest, ReleaseMessage
from salus_edge.errors import EdgeError
from salus_edge.link.release_sender import CHUNK_BYTES, Transfer, next_messages, version
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_edge.release import sign_manifest
from tests.hil.rig import SIGNER

MODEL = bytes(range(256)) * 40
TRANSFER = Transfer(sign_manifest(Manifest(version=4).SerializeToString(), SIGNER), MODEL)


def test_without_a_status_it_offers() -> None:
    (data,) = next_messages(TRANSFER, None)
    assert ReleaseMessage.FromString(data).offer.SerializeToString() == TRANSFER.signed_manifest
    assert version(TRANSFER) == 4


def test_following_every_status_sends_the_whole_model() -> None:
    got, chunks = b"", 0
    while messages := next_messages(
        TRANSFER, ReleaseStatus(version=4, progress=ReleaseStatus.RECEIVING, next_offset=len(got))
    ):
        chunk = ReleaseMessage.FromString(messages[0]).chunk
        assert (chunk.offset, chunk.sha256) == (len(got), sha256(MODEL).digest()) and len(chunk.data) <= CHUNK_BYTES
        got, chunks = got + chunk.data, chunks + 1
    assert got == MODEL and chunks == 3


@pytest.mark.parametrize("progress", [ReleaseStatus.ACTIVE, ReleaseStatus.REFUSED])
def test_what_is_over_is_over(progress: ReleaseStatus.Progress.ValueType) -> None:
    assert next_messages(TRANSFER, ReleaseStatus(version=4, progress=progress)) == ()


def test_a_status_of_another_version_is_not_answered() -> None:
    assert next_messages(TRANSFER, ReleaseStatus(version=3, progress=ReleaseStatus.RECEIVING)) == ()


def test_an_unreadable_manifest_is_ours_to_mend() -> None:
    with pytest.raises(EdgeError, match="unreadable"):
        version(Transfer(b"\xff", MODEL))
