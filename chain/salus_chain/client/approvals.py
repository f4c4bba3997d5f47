"""Candidates before the validators: a quorum's signatures make a transaction."""

from __future__ import annotations

import asyncio
from typing import Final

from salus_chain.candidates import Candidate, encode_candidate, is_about
from salus_chain.client.asking import Asking, verdict
from salus_chain.codec import decode
from salus_chain.errors import ChainError, DecodeError, Unreachable
from salus_chain.genesis import quorum
from salus_chain.keys import verify
from salus_chain.rules.transactions import (
    BODIES,
    STATEMENT_DOMAIN,
    ApproveModel,
    ApproveRelease,
    Kind,
    quorum_transaction,
    statement_bytes,
)
from salus_chain.views import Approval, from_json

APPROVAL_TIMEOUT_S: Final = 60.0


class Approvals(Asking):
    """Asks for approvals."""

    async def approve(self, candidate: Candidate) -> bytes:
        """Put a candidate before all validators; the transaction with a quorum's signatures, ready to submit.

        Raises Rejected when too few approve because a check fails, or Unreachable.
        """
        body, roster = encode_candidate(candidate), await self.members()
        answers = await asyncio.gather(
            *(self._approval(url, body, candidate) for url in self._urls), return_exceptions=True
        )
        errors: list[ChainError] = []
        votes: dict[ApproveModel | ApproveRelease, dict[int, bytes]] = {}
        for answer in answers:
            if isinstance(answer, tuple):
                statement, seat, signature = answer
                votes.setdefault(statement, {})[seat] = signature
            elif isinstance(answer, ChainError):
                errors.append(answer)
            else:
                raise answer
        wanted = quorum(len(roster.validators))
        most = max(map(len, votes.values()), default=0)
        if most < wanted:
            raise verdict(errors, f"{most} of {wanted} approvals")
        statement, seats = next(vote for vote in votes.items() if len(vote[1]) == most)
        return quorum_transaction(self.genesis.chain_id, statement, seats, wanted)

    async def _approval(
        self, url: str, body: bytes, candidate: Candidate
    ) -> tuple[ApproveModel | ApproveRelease, int, bytes]:
        answer = await self._ask(url, "/approvals", content=body, wait_s=APPROVAL_TIMEOUT_S)
        try:
            approval = from_json(answer.content, Approval)
            statement = BODIES[Kind(approval.kind)].read(decode(approval.body))
        except (DecodeError, ValueError, KeyError) as error:
            raise Unreachable(f"{url}: {error}") from None
        about = isinstance(statement, ApproveModel | ApproveRelease) and is_about(statement, candidate)
        if not about or not 0 <= approval.seat < len(self._roster.validators):
            raise Unreachable(f"{url}: it approved something else")
        assert isinstance(statement, ApproveModel | ApproveRelease)
        message = statement_bytes(self.genesis.chain_id, self._roster.validators, statement)
        key = self._roster.validators[approval.seat]
        if not verify(key, approval.signature, STATEMENT_DOMAIN, message):
            raise Unreachable(f"{url}: its approval does not verify")
        return statement, approval.seat, approval.signature
