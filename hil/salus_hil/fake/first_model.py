"""The first model of a wearable that has none: offered and sent by the console, checked as any release is."""

from __future__ import annotations

from salus_chain.proto.release_pb2 import Manifest, ReleaseMessage, SignedManifest
from salus_edge.errors import Refused
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_edge.release import check_offer, verify_release
from salus_edge.task import Task
from salus_hil.virtual.engine import load_tflm


class FirstModel:
    """One transfer, in memory: a restart begins it anew. `whole` is (manifest, model) once all is right."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._signed = b""
        self._model = b""
        self.whole: tuple[bytes, bytes] | None = None

    def take(self, said: ReleaseMessage, key: bytes, chain_id: bytes) -> ReleaseStatus | None:
        """The answer; None for a chunk that is not wanted."""
        if said.HasField("offer"):
            return self._offer(said.offer, key, chain_id)
        if not self._signed or said.chunk.offset != len(self._model):
            return None
        self._model += said.chunk.data
        inner = SignedManifest.FromString(self._signed).manifest
        manifest = Manifest.FromString(inner)
        if len(self._model) < manifest.size_bytes:
            return self._receiving(manifest)
        return self._finish(inner, manifest, key, chain_id)

    def _offer(self, offer: SignedManifest, key: bytes, chain_id: bytes) -> ReleaseStatus:
        signed, manifest = offer.SerializeToString(deterministic=True), Manifest.FromString(offer.manifest)
        try:
            check_offer(
                signed,
                release_public_key=key,
                task=self._task,
                newer_than=0,
                chain_id=chain_id,
                arena_limit=self._task.budget.arena_bytes,
            )
        except Refused as error:
            return _refused(manifest, error)
        if signed != self._signed:
            self._signed, self._model = signed, b""
        return self._receiving(manifest)

    def _finish(self, inner: bytes, manifest: Manifest, key: bytes, chain_id: bytes) -> ReleaseStatus:
        signed, model = self._signed, self._model
        self._signed, self._model = b"", b""
        try:
            verify_release(
                signed,
                model,
                release_public_key=key,
                task=self._task,
                newer_than=0,
                chain_id=chain_id,
                run_golden=lambda data, inputs, arena_bytes: load_tflm(data, arena_bytes).run(inputs),
                arena_limit=self._task.budget.arena_bytes,
            )
        except Refused as error:
            return _refused(manifest, error)
        self.whole = (inner, model)
        return ReleaseStatus(version=manifest.version, progress=ReleaseStatus.ACTIVE)

    def _receiving(self, manifest: Manifest) -> ReleaseStatus:
        progress = ReleaseStatus.RECEIVING
        return ReleaseStatus(version=manifest.version, progress=progress, next_offset=len(self._model))


def _refused(manifest: Manifest, error: Refused) -> ReleaseStatus:
    return ReleaseStatus(version=manifest.version, progress=ReleaseStatus.REFUSED, code=error.code)
