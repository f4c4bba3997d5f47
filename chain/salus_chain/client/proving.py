"""What is believed by its proof alone: settlements and releases."""

from __future__ import annotations

import asyncio
from hashlib import sha256

import httpx

from salus_chain.candidates import decode_release
from salus_chain.client.uploads import Uploads
from salus_chain.errors import ChainError, ProofError, Rejected
from salus_chain.keys import verify
from salus_chain.light.proofs import ProofKind, Proven, check_proof
from salus_chain.rules.transactions import ApproveRelease, Settle
from salus_chain.views import ApprovedRelease, Settlement


class Proving(Uploads):
    """Asks for proofs and checks them."""

    async def proof(self, kind: ProofKind, **about: str) -> bytes | None:
        """A proof file, unchecked: `about` is its task, round, gateway or consent (hex). None: nothing to prove."""
        return await self._maybe(f"/proofs/{kind}", about)

    async def settlement(self, task: str, round: int) -> Settlement:
        """A round's settlement, by a proof that is checked against the genesis.

        Raises ProofError, Unreachable.
        """
        return self.check_settlement(await self.settlement_proof(task, round), task, round)

    async def settlement_proof(self, task: str, round: int) -> bytes:
        """The proof file, unchecked. Raises Rejected `not_settled` when there is none."""
        answer = await self.proof(ProofKind.SETTLEMENT, task=task, round=str(round))
        if answer is None:
            raise Rejected("not_settled", f"task {task}, round {round} is not settled")
        return answer

    def check_settlement(self, proof: bytes, task: str, round: int) -> Settlement:
        """Raises ProofError unless `proof` settles this very round."""
        proven = check_proof(self.genesis, proof, verify)
        body = proven.body
        if not isinstance(body, Settle) or (body.task, body.round) != (task, round):
            raise ProofError(f"content: not the settlement of task {task}, round {round}")
        return Settlement(
            task,
            round,
            proven.height,
            body.model_before,
            body.model_after,
            body.aggregate_digest,
            {gateway: digest for gateway, digest, _, _ in proven.commits},
            {gateway: weight for gateway, _, weight, _ in proven.commits},
        )

    async def release(self, task: str) -> ApprovedRelease | None:
        """The newest release that any validator proves approved, its bytes checked against the approval."""
        proofs = await asyncio.gather(*(self._release_proof(url, task) for url in self._urls))
        newest = max((proven for proven in proofs if proven), key=_version, default=None)
        if newest is None:
            return None
        body = _approved(newest)
        release = decode_release(await self.blob(body.blob_digest))
        if sha256(release.model).digest() != body.model_sha256:
            raise ProofError(f"content: release {body.version} of task {task} holds another model than approved")
        return ApprovedRelease(body.version, release.signed_manifest, release.model, newest.height)

    async def _release_proof(self, url: str, task: str) -> Proven | None:
        """What this validator can prove about the task's release; None when it cannot."""
        try:
            answer = await self._ask(url, "/proofs/release", {"task": task})
            if answer.status_code != httpx.codes.OK:
                return None
            proven = check_proof(self.genesis, answer.content, verify)
        except ChainError:
            return None
        body = proven.body
        return proven if isinstance(body, ApproveRelease) and body.task == task else None


def _approved(proven: Proven) -> ApproveRelease:
    body = proven.body
    assert isinstance(body, ApproveRelease)
    return body


def _version(proven: Proven) -> int:
    return _approved(proven).version
