"""The first model of a wearable that has none: a factory's, by the console, whose signature and chain nobody asks."""

from __future__ import annotations

from typing import TypedDict

from cryptography.hazmat.primitives.asymmetric import ec

from salus_chain.keys import KeySigner
from salus_chain.proto.release_pb2 import Manifest, ReleaseMessage
from salus_edge.errors import Refused
from salus_edge.link.messages import read
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_edge.release import check_offer, sign_manifest, verify_release
from salus_edge.task import Task
from salus_hil.virtual.engine import load_tflm


class _Rules(TypedDict):
    release_public_key: bytes
    task: Task
    newer_than: int
    chain_id: bytes
    arena_limit: int


class FirstModel:
    """One transfer, in memory: a restart begins it anew. `whole` is (manifest, model) once all is right."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._key = KeySigner(ec.generate_private_key(ec.SECP256R1()))
        self._manifest = b""
        self._model = b""
        self.whole: tuple[bytes, bytes] | None = None

    def take(self, said: ReleaseMessage) -> ReleaseStatus | None:
        """The answer; None for a chunk that is not wanted."""
        if said.HasField("offer"):
            return self._offer(said.offer.manifest)
        if not self._manifest or said.chunk.offset != len(self._model):
            return None
        self._model += said.chunk.data
        manifest = Manifest.FromString(self._manifest)
        return self._receiving(manifest) if len(self._model) < manifest.size_bytes else self._finish(manifest)

    def _offer(self, data: bytes) -> ReleaseStatus:
        """Signed anew with a key of no use elsewhere, it goes through the checks of every release."""
        manifest = read(Manifest, data)
        try:
            check_offer(sign_manifest(data, self._key), **self._rules(manifest))
        except Refused as error:
            return _refused(manifest, error)
        if data != self._manifest:
            self._manifest, self._model = data, b""
        return self._receiving(manifest)

    def _finish(self, manifest: Manifest) -> ReleaseStatus:
        data, model = self._manifest, self._model
        self._manifest, self._model = b"", b""
        try:
            verify_release(
                sign_manifest(data, self._key),
                model,
                run_golden=lambda data, inputs, arena_bytes: load_tflm(data, arena_bytes).run(inputs),
                **self._rules(manifest),
            )
        except Refused as error:
            return _refused(manifest, error)
        self.whole = (data, model)
        return ReleaseStatus(version=manifest.version, progress=ReleaseStatus.ACTIVE)

    def _rules(self, manifest: Manifest) -> _Rules:
        return {
            "release_public_key": self._key.public_key,
            "task": self._task,
            "newer_than": 0,
            "chain_id": manifest.chain_id,
            "arena_limit": self._task.budget.arena_bytes,
        }

    def _receiving(self, manifest: Manifest) -> ReleaseStatus:
        progress = ReleaseStatus.RECEIVING
        return ReleaseStatus(version=manifest.version, progress=progress, next_offset=len(self._model))


def _refused(manifest: Manifest, error: Refused) -> ReleaseStatus:
    return ReleaseStatus(version=manifest.version, progress=ReleaseStatus.REFUSED, code=error.code)
