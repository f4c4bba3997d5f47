"""The relay of a release: whatever the wearable last said, the right bytes come next."""

from __future__ import annotations

from hashlib import sha256

import pytest

from salus_chain.proto import release_pb2
from salus_edge.errors import EdgeError
from salus_edge.link.release_sender import CHUNK_BYTES, Transfer, next_messages, version
from salus_edge.proto.link_pb2 import ReleaseStatus

MODEL = bytes(range(256)) * 200
SIGNED = release_pb2.SignedManifest(
    manifest=release_pb2.Manifest(task="t", version=2).SerializeToString(), signature=b"s" * 64
).SerializeToString()
TRANSFER = Transfer(SIGNED, MODEL)


def chunks(offset: int) -> list[release_pb2.Chunk]:
    status = ReleaseStatus(version=2, progress=ReleaseStatus.RECEIVING, next_offset=offset)
    return [release_pb2.ReleaseMessage.FromString(each).chunk for each in next_messages(TRANSFER, status)]


def test_it_begins_with_the_offer_as_it_was_signed() -> None:
    (message,) = next_messages(TRANSFER, None)
    assert release_pb2.ReleaseMessage.FromString(message).offer.SerializeToString() == SIGNED
    assert version(TRANSFER) == 2


def test_the_chunks_make_up_the_model() -> None:
    received = b""
    while True:
        burst = chunks(len(received))
        if not burst:
            break
        for chunk in burst:
            assert (chunk.offset, chunk.sha256) == (len(received), sha256(MODEL).digest())
            assert 0 < len(chunk.data) <= CHUNK_BYTES
            received += chunk.data
    assert received == MODEL


def test_a_transfer_goes_on_from_any_offset() -> None:
    assert chunks(100)[0].data == MODEL[100 : 100 + CHUNK_BYTES]
    assert chunks(len(MODEL)) == []
    assert chunks(2**32 - 1) == []


@pytest.mark.parametrize("progress", [ReleaseStatus.ACTIVE, ReleaseStatus.REFUSED, ReleaseStatus.PROGRESS_UNSPECIFIED])
def test_nothing_follows_what_is_over(progress: ReleaseStatus.Progress.ValueType) -> None:
    assert next_messages(TRANSFER, ReleaseStatus(version=2, progress=progress)) == ()


def test_a_status_of_another_version_gets_no_chunk() -> None:
    assert next_messages(TRANSFER, ReleaseStatus(version=1, progress=ReleaseStatus.RECEIVING)) == ()


def test_an_unreadable_manifest_is_an_error() -> None:
    with pytest.raises(EdgeError, match="unreadable"):
        version(Transfer(b"\xff", MODEL))
