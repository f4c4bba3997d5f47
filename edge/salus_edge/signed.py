"""Signed manifests: what base and personal releases have in common."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from salus_chain import keys
from salus_chain.candidates import RELEASE_DOMAIN
from salus_chain.proto import release_pb2
from salus_edge.errors import Refused

MAX_MODEL_BYTES: Final = 4 << 20
MAX_GOLDENS: Final = 256

RunGolden = Callable[[bytes, NDArray[np.int8], int], NDArray[np.int8]]
"""(model, int8 inputs (n, samples, channels), arena bytes) to outputs (n, F); raises Refused `bad_model`."""


def sign_manifest(manifest: bytes, signer: keys.Signer) -> bytes:
    """A serialised SignedManifest: the manifest's bytes as they stand, and the release key's signature."""
    signature = signer.sign(RELEASE_DOMAIN, manifest)
    message = release_pb2.SignedManifest(manifest=manifest, signature=signature)
    return message.SerializeToString(deterministic=True)


def read_signed(signed: bytes, release_public_key: bytes) -> release_pb2.Manifest:
    """The manifest, when the release key signed it. Raises Refused `malformed`, `bad_signature`."""
    try:
        message = release_pb2.SignedManifest.FromString(signed)
        if not keys.verify(release_public_key, message.signature, RELEASE_DOMAIN, message.manifest):
            raise Refused("bad_signature", "the manifest is not signed with this wearable's release key")
        return release_pb2.Manifest.FromString(message.manifest)
    except DecodeError as error:
        raise Refused("malformed", f"not a signed manifest: {error}") from None


def check_place(manifest: release_pb2.Manifest, *, chain_id: bytes, newer_than: int) -> None:
    """Raises Refused: `wrong_chain`, `older_version`, `wrong_size`."""
    if manifest.chain_id != chain_id:
        raise Refused("wrong_chain", "a release of another federation: its chain id differs")
    if manifest.version <= newer_than:
        raise Refused("older_version", f"version {manifest.version} is not above {newer_than}; only upward")
    if not 0 < manifest.size_bytes <= MAX_MODEL_BYTES:
        raise Refused("wrong_size", f"{manifest.size_bytes} bytes; a slot takes 1 to {MAX_MODEL_BYTES}")


def check_arena(manifest: release_pb2.Manifest, limit: int) -> None:
    """Raises Refused `arena_too_large`."""
    if manifest.arena_bytes > limit:
        raise Refused("arena_too_large", f"an arena of {manifest.arena_bytes} bytes; {limit} are there")


def check_bytes(manifest: release_pb2.Manifest, model: bytes) -> None:
    """Raises Refused: `wrong_size`, `wrong_hash`."""
    if len(model) != manifest.size_bytes:
        raise Refused("wrong_size", f"{len(model)} bytes where the manifest says {manifest.size_bytes}")
    if sha256(model).digest() != manifest.sha256:
        raise Refused("wrong_hash", "the model is not the one that the manifest names")


def usable_quantisation(quantisation: release_pb2.Quantisation) -> bool:
    """A positive scale, and a zero point that an int8 can be."""
    return 0 < quantisation.scale < float("inf") and -128 <= quantisation.zero_point <= 127
