"""The gateway's side of a release transfer, pure: what to send next, given what the wearable last said."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from google.protobuf.message import DecodeError

from salus_chain.proto import release_pb2
from salus_edge.errors import EdgeError
from salus_edge.proto.link_pb2 import ReleaseStatus

CHUNK_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Transfer:
    """One release on its way to one wearable: the serialised SignedManifest and the model bytes."""

    signed_manifest: bytes
    model: bytes


def next_messages(transfer: Transfer, status: ReleaseStatus | None) -> tuple[bytes, ...]:
    """The serialised ReleaseMessages to send now; none when it is over, refused, or of another version.

    `status` None: the wearable said nothing yet, so offer. RECEIVING: the one chunk at `next_offset`, which the
    wearable answers with its next status; a chunk sent twice does no harm.
    Raises EdgeError when the manifest is unreadable.
    """
    if status is None:
        return (_offer(transfer),)
    if status.version != version(transfer) or status.progress != ReleaseStatus.RECEIVING:
        return ()
    data = transfer.model[status.next_offset : status.next_offset + CHUNK_BYTES]
    return (_chunk(sha256(transfer.model).digest(), status.next_offset, data),) if data else ()


def version(transfer: Transfer) -> int:
    """The version that the manifest names. Raises EdgeError."""
    try:
        signed = release_pb2.SignedManifest.FromString(transfer.signed_manifest)
        return release_pb2.Manifest.FromString(signed.manifest).version
    except DecodeError as error:
        raise EdgeError(f"the release to send has an unreadable manifest: {error}") from None


def _offer(transfer: Transfer) -> bytes:
    offer = release_pb2.SignedManifest.FromString(transfer.signed_manifest)
    return release_pb2.ReleaseMessage(offer=offer).SerializeToString(deterministic=True)


def _chunk(digest: bytes, offset: int, data: bytes) -> bytes:
    chunk = release_pb2.Chunk(sha256=digest, offset=offset, data=data)
    return release_pb2.ReleaseMessage(chunk=chunk).SerializeToString(deterministic=True)
