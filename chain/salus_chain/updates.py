"""The files that are hashed: a gateway's update and a task's model, integers only.

An update is canonical CBOR [header, body], its body int32 little endian at 2^-24. A model is canonical CBOR
["salus/model", layout digest, body]. Each is named by the SHA-256 of its whole bytes.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, NewType

import numpy as np

from salus_chain.codec import decode, encode, fields, octets
from salus_chain.errors import DecodeError
from salus_chain.fixed import Int32s
from salus_chain.keys import Signer, verify
from salus_chain.rules.bodies.gateways import UpdateHeader

UpdateDigest = NewType("UpdateDigest", bytes)
ModelDigest = NewType("ModelDigest", bytes)

__all__ = [
    "ModelDigest",
    "UpdateDigest",
    "UpdateHeader",
    "aggregate_digest",
    "decode_model",
    "decode_update",
    "encode_model",
    "encode_update",
    "model_digest",
    "sign_upload",
    "update_digest",
    "verify_upload",
]

UPLOAD_DOMAIN: Final = b"salus/upload/1"
MODEL_TAG: Final = b"salus/model"
FILE_ITEMS: Final = 16  # a header, and one byte string of all numbers


def encode_update(header: UpdateHeader, values: Int32s) -> bytes:
    """The update file of `values` int32 (d,). Raises DecodeError when the header's `d` is another."""
    if values.shape != (header.d,):
        raise DecodeError(f"update: the header says d = {header.d}, the values have shape {values.shape}")
    return encode((header.value(), _pack(values)))


def decode_update(data: bytes) -> tuple[UpdateHeader, Int32s]:
    """Raises DecodeError: malformed, not canonical, or a body that is not the header's `d` int32s."""
    head, body = fields(decode(data, max_items=FILE_ITEMS), 2, "update")
    header = UpdateHeader.read(head)
    return header, _unpack(octets(body, "update body", 4 * header.d))


def update_digest(data: bytes) -> UpdateDigest:
    return UpdateDigest(sha256(data).digest())


def sign_upload(signer: Signer, digest: bytes) -> bytes:
    """The gateway's signature that goes with the bytes of an update, so that a stranger cannot fill disks."""
    return signer.sign(UPLOAD_DOMAIN, digest)


def verify_upload(public_key: bytes, signature: bytes, digest: bytes) -> bool:
    return verify(public_key, signature, UPLOAD_DOMAIN, digest)


def encode_model(layout_digest: bytes, values: Int32s) -> bytes:
    """The model file of all shared variables, `values` int32 (D,) in the layout's order."""
    return encode((MODEL_TAG, layout_digest, _pack(values)))


def decode_model(data: bytes) -> tuple[bytes, Int32s]:
    """The layout digest and int32 (D,). Raises DecodeError."""
    tag, layout_digest, body = fields(decode(data, max_items=FILE_ITEMS), 3, "model")
    if tag != MODEL_TAG:
        raise DecodeError("model: not a model file")
    raw = octets(body, "model body")
    if len(raw) % 4:
        raise DecodeError(f"model: {len(raw)} bytes are not int32s")
    return octets(layout_digest, "layout_digest", 32), _unpack(raw)


def model_digest(layout_digest: bytes, values: Int32s) -> ModelDigest:
    return ModelDigest(sha256(encode_model(layout_digest, values)).digest())


def aggregate_digest(values: Int32s) -> bytes:
    """What a settlement names an aggregate int32 (d,) by."""
    return sha256(encode((b"salus/aggregate", _pack(values)))).digest()


def _pack(values: Int32s) -> bytes:
    return np.ascontiguousarray(values, dtype="<i4").tobytes()


def _unpack(raw: bytes) -> Int32s:
    return np.frombuffer(raw, dtype="<i4").astype(np.int32)
