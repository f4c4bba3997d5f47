"""What is put before the validators for approval: a task's model, or a release made from it."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

import numpy as np

from salus_chain.codec import decode, encode, fields, identifier, octets, text
from salus_chain.errors import DecodeError
from salus_chain.fixed import Int32s
from salus_chain.layout import Layout
from salus_chain.rules.transactions import ApproveModel, ApproveRelease, Statement
from salus_chain.updates import FILE_ITEMS, encode_model

MODEL_TAG = b"salus/candidate/model"
RELEASE_TAG = b"salus/candidate/release"
RELEASE_DOMAIN = b"salus/release/1"  # of a manifest's signature


@dataclass(frozen=True, slots=True)
class ModelCandidate:
    """A task's first model, or a new one.

    `model` is int32 little endian at 2^-24, flat in the layout's order.
    """

    task: str
    layout_json: str
    program_digest: bytes
    model: bytes

    @property
    def values(self) -> Int32s:
        """int32 (D,). Raises DecodeError when the bytes are not as many as the layout says."""
        size = Layout.from_json(self.layout_json).size
        if len(self.model) != 4 * size:
            raise DecodeError(f"model of task {self.task}: {len(self.model)} bytes where {4 * size} are laid out")
        return np.frombuffer(self.model, dtype="<i4").astype(np.int32)

    @property
    def blob(self) -> bytes:
        """The model file that validators keep. Raises DecodeError."""
        return encode_model(Layout.from_json(self.layout_json).digest, self.values)


@dataclass(frozen=True, slots=True)
class ReleaseCandidate:
    """A serialised `SignedManifest` and the int8 .tflite that it names."""

    signed_manifest: bytes
    model: bytes

    @property
    def blob(self) -> bytes:
        """The release file that validators keep and gateways fetch."""
        return encode((self.signed_manifest, self.model))


Candidate: TypeAlias = ModelCandidate | ReleaseCandidate


def encode_candidate(candidate: Candidate) -> bytes:
    if isinstance(candidate, ReleaseCandidate):
        return encode((RELEASE_TAG, candidate.signed_manifest, candidate.model))
    return encode(
        (
            MODEL_TAG,
            candidate.task.encode(),
            candidate.layout_json.encode(),
            candidate.program_digest,
            candidate.model,
        )
    )


def decode_candidate(data: bytes) -> Candidate:
    """Raises DecodeError."""
    value = decode(data, max_items=FILE_ITEMS)
    if isinstance(value, tuple) and value[:1] == (RELEASE_TAG,):
        _, manifest, model = fields(value, 3, "release candidate")
        return ReleaseCandidate(octets(manifest, "signed_manifest"), octets(model, "model"))
    tag, task, layout_json, program, model = fields(value, 5, "model candidate")
    if tag != MODEL_TAG:
        raise DecodeError("candidate: of no known kind")
    return ModelCandidate(
        identifier(task, "task"),
        text(layout_json, "layout_json"),
        octets(program, "program_digest", 32),
        octets(model, "model"),
    )


def decode_release(blob: bytes) -> ReleaseCandidate:
    """Read a release file back. Raises DecodeError."""
    manifest, model = fields(decode(blob, max_items=FILE_ITEMS), 2, "release")
    return ReleaseCandidate(octets(manifest, "signed_manifest"), octets(model, "model"))


def is_about(statement: Statement, candidate: Candidate) -> bool:
    """Whether a validator's statement approves this very candidate."""
    digest = sha256(candidate.blob).digest()
    if isinstance(candidate, ReleaseCandidate):
        return isinstance(statement, ApproveRelease) and statement.blob_digest == digest
    return (
        isinstance(statement, ApproveModel)
        and statement.model_digest == digest
        and (statement.task, statement.layout_json) == (candidate.task, candidate.layout_json)
        and statement.program_digest == candidate.program_digest
    )
