"""Which models a gateway believes in: its package's, a release's, or one that a settlement proves.

One validator's word is not enough: it may lie about the model that a task stands at or a round starts from.
"""

from __future__ import annotations

from typing import Protocol

from salus_chain.errors import ProofError
from salus_chain.views import RoundView, Settlement
from salus_edge.config import Settings
from salus_edge.store import Database, models


class Chain(Protocol):
    """What of `salus_chain.client.ChainClient` this needs; tests give a scripted one."""

    async def round(self, task: str, round: int) -> RoundView | None: ...

    async def settlement(self, task: str, round: int) -> Settlement: ...


async def settled_by(client: Chain, task: str, latest: int, digest: bytes) -> RoundView | None:
    """The last settled round up to `latest`, when its proof says that it made this model; else None.

    Raises ProofError when a proof says otherwise than the validator's view.
    """
    for number in range(latest, 0, -1):
        view = await client.round(task, number)
        if view is None or view.status != "settled":
            continue
        if view.model_after != digest:
            return None
        proven = await client.settlement(task, number)
        if proven.model_after != digest:
            raise ProofError(f"content: round {number} of {task} settled another model than claimed")
        return view
    return None


async def require_proven(
    client: Chain, database: Database, settings: Settings, task: str, latest: int, digest: bytes
) -> RoundView | None:
    """The round that settled this model, None for one that was released or came with the package.

    Raises ProofError: it is neither.
    """
    origin = await settled_by(client, task, latest, digest)
    if origin is None and digest != settings.package.model_digest and not models.holds(database, digest):
        raise ProofError(
            f"content: model {digest.hex()[:16]} of {task} is neither the package's, nor released, nor settled by "
            "proof; it is not used"
        )
    return origin
