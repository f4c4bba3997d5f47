"""Receiving a release: offer, chunks, verification in the free slot, swap. A failure changes nothing."""

from __future__ import annotations

from google.protobuf.message import DecodeError

from salus_chain.proto.release_pb2 import Chunk, Manifest, SignedManifest
from salus_edge.errors import Refused
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_edge.release import check_offer, verify_release
from salus_edge.task import Task
from salus_hil.virtual.engine import Load
from salus_hil.virtual.flash import Flash
from salus_hil.virtual.slots import Slots


class Update:
    """The state of one transfer, all of it in flash: a restart goes on where it was."""

    def __init__(
        self, flash: Flash, slots: Slots, task: Task, release_public_key: bytes, chain_id: bytes, load: Load
    ) -> None:
        self._flash, self._slots, self._task = flash, slots, task
        self._key, self._chain_id, self._load = release_public_key, chain_id, load

    def offer(self, signed: SignedManifest) -> ReleaseStatus:
        """Answer an offer: RECEIVING from where to go on, ACTIVE when it runs already, or REFUSED."""
        data = signed.SerializeToString(deterministic=True)
        active = self._slots.active.manifest
        claimed = _claimed(signed)
        if claimed.kind == Manifest.PERSONAL:  # no gateway's key was ever pinned here, so nobody may sign one
            self._flash.add("refused release bad_signature", 1)
            return ReleaseStatus(
                version=claimed.version, progress=ReleaseStatus.REFUSED, code="bad_signature", personal=True
            )
        if claimed.version == active.version and claimed.sha256 == active.sha256:
            return ReleaseStatus(version=active.version, progress=ReleaseStatus.ACTIVE)
        try:
            check_offer(
                data,
                release_public_key=self._key,
                task=self._task,
                newer_than=active.version,
                chain_id=self._chain_id,
                arena_limit=self._task.budget.arena_bytes,
            )
        except Refused as error:
            return self._refused(claimed.version, error.code)
        if data != self._flash.blob("offer"):
            with self._flash.transaction():
                self._forget()
                self._flash.put("offer", data)
        return self._receiving(claimed.version)

    def chunk(self, chunk: Chunk) -> ReleaseStatus | None:
        """Take the next chunk; None for one that is not wanted (a duplicate, or of another release)."""
        signed = self._flash.blob("offer")
        if not signed:
            return None
        manifest = _claimed(SignedManifest.FromString(signed))
        if chunk.sha256 != manifest.sha256 or chunk.offset != self._received() or not chunk.data:
            return None
        with self._flash.transaction():
            self._flash.db.execute("INSERT INTO chunks VALUES (?, ?)", (chunk.offset, chunk.data))
        if self._received() < manifest.size_bytes:
            return self._receiving(manifest.version)
        return self._finish(signed, manifest.version)

    def status(self) -> ReleaseStatus | None:
        """Where a transfer under way stands: said again when the gateway falls silent."""
        signed = self._flash.blob("offer")
        return self._receiving(_claimed(SignedManifest.FromString(signed)).version) if signed else None

    def _finish(self, signed: bytes, version: int) -> ReleaseStatus:
        """Verify and swap, or refuse."""
        rows = self._flash.db.execute("SELECT data FROM chunks ORDER BY start")
        model = b"".join(bytes(row[0]) for row in rows)
        try:
            manifest = verify_release(
                signed,
                model,
                release_public_key=self._key,
                task=self._task,
                newer_than=self._slots.active.manifest.version,
                chain_id=self._chain_id,
                run_golden=lambda data, inputs, arena_bytes: self._load(data, arena_bytes).run(inputs),
                arena_limit=self._task.budget.arena_bytes,
            )
        except Refused as error:
            with self._flash.transaction():
                self._forget()
            return self._refused(version, error.code)
        with self._flash.transaction():
            self._forget()
            self._slots.swap(manifest.SerializeToString(deterministic=True), model)
        return ReleaseStatus(version=manifest.version, progress=ReleaseStatus.ACTIVE)

    def _refused(self, version: int, code: str) -> ReleaseStatus:
        self._flash.add(f"refused release {code}", 1)
        return ReleaseStatus(version=version, progress=ReleaseStatus.REFUSED, code=code)

    def _receiving(self, version: int) -> ReleaseStatus:
        return ReleaseStatus(version=version, progress=ReleaseStatus.RECEIVING, next_offset=self._received())

    def _received(self) -> int:
        """Bytes so far, without a hole."""
        return int(self._flash.db.execute("SELECT coalesce(sum(length(data)), 0) FROM chunks").fetchone()[0])

    def _forget(self) -> None:
        self._flash.db.execute("DELETE FROM chunks")
        self._flash.put("offer", b"")


def _claimed(signed: SignedManifest) -> Manifest:
    """What the manifest says, unchecked; empty when it cannot be read."""
    try:
        return Manifest.FromString(signed.manifest)
    except DecodeError:
        return Manifest()
