"""Doing a settlement's sums again where the bytes are still there."""

from __future__ import annotations

from enum import StrEnum

from salus_chain.audit.lineage import Settled
from salus_chain.errors import AuditError, ChainError
from salus_chain.node.settling.settler import recompute
from salus_chain.node.storage.blobs import Blobs
from salus_chain.updates import UpdateDigest


class Outcome(StrEnum):
    """How a settlement is known to be right."""

    RECOMPUTED = "recomputed from the bytes"
    ERASED = "bytes erased, settled by quorum"
    NOT_ASKED = "settled by quorum"


def again(step: Settled, blobs: Blobs | None) -> Outcome:
    """Raises AuditError when the bytes give another result than the one that was settled."""
    if blobs is None:
        return Outcome.NOT_ASKED
    model = blobs.get(step.closed.model_before)
    updates = {UpdateDigest(part.digest): blobs.get(part.digest) for part in step.parts}
    held = {digest: data for digest, data in updates.items() if data is not None}
    if model is None or len(held) < len(updates):
        return Outcome.ERASED
    where = f"task {step.task}, round {step.body.round}, settled at height {step.height}"
    try:
        found = recompute(step.known, step.closed, model, held).settle
    except ChainError as error:
        raise AuditError(f"{where}: the bytes cannot be aggregated: {error}") from None
    if found != step.body:
        raise AuditError(f"{where}: the bytes give model {found.model_after.hex()}, not {step.body.model_after.hex()}")
    return Outcome.RECOMPUTED
