"""Signed manifests: what base and personal releases have in common."""

from __future__ import annotations

from collections.abc import Callable
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


def usable_quantisation(quantisation: release_pb2.Quantisation) -> bool:
    """A positive scale, and a zero point that an int8 can be."""
    return 0 < quantisation.scale < float("inf") and -128 <= quantisation.zero_point <= 127
