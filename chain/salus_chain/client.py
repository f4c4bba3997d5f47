"""The client of a federation's validators, for gateways and coordinators.

A read goes to any validator that answers. What matters is never taken from one validator's word: settlements
and releases are checked by their proofs, blobs by their digests, receipts and approvals by their signatures.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from types import TracebackType
from typing import Final, Self, TypeVar

import httpx

from salus_chain.candidates import Candidate, decode_release, encode_candidate, is_about
from salus_chain.codec import decode
from salus_chain.errors import ChainError, DecodeError, ProofError, Rejected, Unreachable
from salus_chain.fixed import Int32s
from salus_chain.genesis import Genesis, check_url, faults, quorum
from salus_chain.keys import Signer, verify
from salus_chain.light.council import genesis_checkpoint
from salus_chain.light.proofs import ProofKind, Proven, check_proof
from salus_chain.rules.roster import Roster, genesis_roster
from salus_chain.rules.transactions import (
    BODIES,
    RECEIPT_DOMAIN,
    STATEMENT_DOMAIN,
    ApproveModel,
    ApproveRelease,
    Kind,
    Receipt,
    Settle,
    quorum_transaction,
    receipt_bytes,
    statement_bytes,
)
from salus_chain.signing import (
    SIGNATURE_HEADER,
    commit_tx,
    consent_tx,
    enrol_tx,
    fetch_headers,
    open_round_tx,
    revoke_tx,
    withdraw_tx,
)
from salus_chain.tls import client_context, trust
from salus_chain.updates import decode_model, decode_update, sign_upload, update_digest
from salus_chain.views import (
    Approval,
    ApprovedRelease,
    GatewayView,
    Refusal,
    RoundView,
    Settlement,
    Status,
    TaskView,
    TxStatus,
    from_json,
)

__all__ = [
    "ChainClient",
    "commit_tx",
    "consent_tx",
    "enrol_tx",
    "open_round_tx",
    "revoke_tx",
    "withdraw_tx",
]

POLL_S: Final = 20.0  # the longest that one question waits at a validator
STRAGGLER_S: Final = 0.2  # how long slower validators may still take in an update once enough have it
APPROVAL_TIMEOUT_S: Final = 60.0
NETWORK_SLACK_S: Final = 5.0

T = TypeVar("T")


class ChainClient:
    """One federation's validators at `urls`, as an asynchronous context manager."""

    def __init__(
        self,
        genesis: Genesis,
        urls: Sequence[str] = (),
        *,
        timeout_s: float = 10.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`urls` defaults to those of the genesis, and then of the validators as they change.

        Over TLS a validator is known by its key. `timeout_s` bounds each request that does not wait; `transport`
        carries the requests elsewhere than over the network, as in tests. Raises ConfigError for a URL without TLS
        that is not of this machine.
        """
        self.genesis = genesis
        self._tls = client_context(genesis.keys)
        self._urls = tuple(url.rstrip("/") for url in urls or [each.url for each in genesis.validators])
        for url in self._urls:
            check_url(url, "validators", plain=True)
        self._timeout_s = timeout_s
        self._follows = not urls
        self._roster = genesis_roster(genesis)  # who takes part, as last proven
        self._checkpoint = genesis_checkpoint(genesis)
        self._first = 0  # the validator that answered last
        self._transport = transport
        self._http: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
        self._http = httpx.AsyncClient(
            timeout=self._timeout_s,
            limits=limits,
            trust_env=False,
            transport=self._transport,
            verify=self._tls,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.aclose()

    async def status(self) -> Status:
        return from_json((await self._any("/status")).content, Status)

    async def height(self) -> int:
        return (await self.status()).height

    async def wait_height(self, above: int, timeout_s: float) -> int:
        """The height as soon as it is greater than `above`, or whatever it is after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            wait_s = min(POLL_S, max(0.0, deadline - time.monotonic()))
            query = {"above": str(above), "timeout_s": f"{wait_s:.3f}"}
            status = from_json((await self._any("/wait", query, wait_s=wait_s)).content, Status)
            if status.height > above or time.monotonic() >= deadline:
                return status.height

    async def next_nonce(self, public_key: bytes) -> int:
        """The nonce for this key's next transaction, counting those that wait in the validator's mempool."""
        return int((await self._any(f"/nonces/{public_key.hex()}")).content)

    async def submit(self, tx: bytes) -> bytes:
        """Hand over a transaction; its id. Raises Rejected as a block would, or Unreachable."""
        return (await self._any("/transactions", content=tx)).content

    async def wait_final(self, tx_id: bytes, timeout_s: float) -> int:
        """The height of the block that made it final.

        Raises Rejected when it was dropped, or TimeoutError.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            wait_s = min(POLL_S, max(0.0, deadline - time.monotonic()))
            query = {"timeout_s": f"{wait_s:.3f}"}
            answer = await self._any(f"/transactions/{tx_id.hex()}", query, wait_s=wait_s)
            status = from_json(answer.content, TxStatus)
            if status.status == "final":
                return status.height
            if status.status == "dropped":
                raise Rejected(status.code, status.reason)
            if time.monotonic() >= deadline:
                raise TimeoutError(f"transaction {tx_id.hex()[:16]} is not final after {timeout_s:g} s")

    async def task(self, task: str) -> TaskView | None:
        answer = await self._maybe("/task", {"task": task})
        return None if answer is None else from_json(answer, TaskView)

    async def round(self, task: str, round: int) -> RoundView | None:
        answer = await self._maybe("/round", {"task": task, "round": str(round)})
        return None if answer is None else from_json(answer, RoundView)

    async def gateway(self, gateway: str) -> GatewayView | None:
        """A gateway's enrolment; None when no hospital has enrolled it."""
        answer = await self._maybe("/gateway", {"gateway": gateway})
        return None if answer is None else from_json(answer, GatewayView)

    async def members(self) -> Roster:
        """Who takes part, as the first validator proves that can, from the genesis on; then asked at their URLs.

        What was proven before stays when none can. Raises Unreachable when none answers.
        """
        errors: list[str] = []
        for url in self._order():
            try:
                answer = await self._ask(url, f"/proofs/{ProofKind.MEMBERS}")
                if answer.status_code == httpx.codes.OK:
                    self._learn(check_proof(self.genesis, answer.content, verify, checkpoint=self._checkpoint))
                return self._roster
            except (ProofError, Unreachable) as error:
                errors.append(f"{url}: {error}")
        raise Unreachable(f"no validator proves who takes part: {'; '.join(errors)}")

    def _learn(self, proven: Proven) -> None:
        if not isinstance(proven.body, Roster):
            raise ProofError(f"content: a proof of a {proven.kind}, not of the members")
        self._roster, self._checkpoint = proven.body, proven.checkpoint
        trust(self._tls, proven.body.by_key)
        if self._follows:
            self._urls, self._first = tuple(each.url.rstrip("/") for each in proven.body.seats), 0

    async def put_update(self, update: bytes, signer: Signer) -> tuple[Receipt, ...]:
        """Push an update to all validators; at least f+1 receipts that verify, sorted as a commit wants them.

        Raises Rejected when too few take it because a rule forbids it, or Unreachable.
        """
        digest = update_digest(update)
        headers = {SIGNATURE_HEADER: sign_upload(signer, digest).hex()}
        wanted = faults(len((await self.members()).validators)) + 1
        pending = {
            asyncio.create_task(self._receipt(url, update, digest, headers), name=f"upload to {url}")
            for url in self._urls
        }
        receipts: dict[bytes, Receipt] = {}
        errors: list[ChainError] = []
        try:
            while pending:
                patience_s = None if len(receipts) < wanted else STRAGGLER_S
                done, pending = await asyncio.wait(pending, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    break
                for each in done:
                    try:
                        receipt = each.result()
                        receipts[receipt.public_key] = receipt
                    except ChainError as error:
                        errors.append(error)
        finally:
            await _cancel(pending)
        if len(receipts) < wanted:
            raise _verdict(errors, f"{len(receipts)} of {wanted} receipts for update {digest.hex()[:16]}")
        return tuple(receipts[key] for key in sorted(receipts))

    async def blob(self, digest: bytes, signer: Signer | None = None) -> bytes:
        """A model, release or update by its digest, which is checked.

        A gateway gets only its own updates and must name itself by `signer`. Raises Unreachable when no
        validator has it, or Rejected when none will give it.
        """
        errors: list[ChainError] = []
        for url in self._order():
            try:
                headers = fetch_headers(self.genesis.chain_id, digest, signer) if signer else {}
                answer = await self._ask(url, f"/blobs/{digest.hex()}", headers=headers)
                if answer.status_code == httpx.codes.OK and sha256(answer.content).digest() == digest:
                    return answer.content
            except (Rejected, Unreachable) as error:
                errors.append(error)
        raise _verdict(errors, f"no validator has blob {digest.hex()[:16]}")

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
            raise _verdict(errors, f"{most} of {wanted} approvals")
        statement, seats = next(vote for vote in votes.items() if len(vote[1]) == most)
        return quorum_transaction(self.genesis.chain_id, statement, seats, wanted)

    async def settlement(self, task: str, round: int) -> Settlement:
        """A round's settlement, by a proof that is checked against the genesis.

        Raises ProofError, Unreachable.
        """
        return self.check_settlement(await self.settlement_proof(task, round), task, round)

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

    async def settlement_proof(self, task: str, round: int) -> bytes:
        """The proof file, unchecked. Raises Rejected `not_settled` when there is none."""
        answer = await self.proof(ProofKind.SETTLEMENT, task=task, round=str(round))
        if answer is None:
            raise Rejected("not_settled", f"task {task}, round {round} is not settled")
        return answer

    async def proof(self, kind: ProofKind, **about: str) -> bytes | None:
        """A proof file, unchecked: `about` is its task, round, gateway or consent (hex). None: nothing to prove."""
        return await self._maybe(f"/proofs/{kind}", about)

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

    async def model(self, model: TaskView | bytes) -> Int32s:
        """The model int32 (D,) in the layout's order, of a task or by digest; the digest is checked."""
        digest = model.model_digest if isinstance(model, TaskView) else model
        return decode_model(await self.blob(digest))[1]

    async def _receipt(self, url: str, update: bytes, digest: bytes, headers: Mapping[str, str]) -> Receipt:
        answer = await self._ask(url, "/updates", content=update, headers=headers)
        try:
            receipt = Receipt.read(decode(answer.content))
        except DecodeError as error:
            raise Unreachable(f"{url}: {error}") from None
        message = receipt_bytes(decode_update(update)[0], digest)
        known = receipt.public_key in self._roster.validators
        if not known or not verify(receipt.public_key, receipt.signature, RECEIPT_DOMAIN, message):
            raise Unreachable(f"{url}: its receipt does not verify")
        return receipt

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

    async def _maybe(self, path: str, query: Mapping[str, str]) -> bytes | None:
        answer = await self._any(path, query)
        return None if answer.status_code == httpx.codes.NOT_FOUND else answer.content

    async def _any(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        content: bytes | None = None,
        wait_s: float = 0.0,
    ) -> httpx.Response:
        """The first answer of any validator, starting with the one that answered last."""
        errors: list[str] = []
        for url in self._order():
            try:
                answer = await self._ask(url, path, query, content=content, wait_s=wait_s)
            except Unreachable as error:
                errors.append(str(error))
                continue
            self._first = self._urls.index(url)
            return answer
        raise Unreachable(f"no validator answered: {'; '.join(errors)}")

    async def _ask(
        self,
        url: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
    ) -> httpx.Response:
        """One question to one validator.

        Raises Rejected for its 409, Unreachable for anything but 200 and 404.
        """
        assert self._http is not None, "use the client as `async with ChainClient(...)`"
        timeout_s = max(self._timeout_s, wait_s + NETWORK_SLACK_S)
        method = "GET" if content is None else "POST"
        try:
            answer = await self._http.request(
                method, url + path, params=query, content=content, headers=headers, timeout=timeout_s
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(f"{url}: {type(error).__name__}: {error}") from None
        if answer.status_code in (httpx.codes.CONFLICT, httpx.codes.TOO_MANY_REQUESTS):
            refusal = from_json(answer.content, Refusal)
            raise Rejected(refusal.code, refusal.reason)
        if answer.status_code not in (httpx.codes.OK, httpx.codes.NOT_FOUND):
            raise Unreachable(f"{url}: status {answer.status_code}")
        return answer

    def _order(self) -> tuple[str, ...]:
        return self._urls[self._first :] + self._urls[: self._first]


def _approved(proven: Proven) -> ApproveRelease:
    body = proven.body
    assert isinstance(body, ApproveRelease)
    return body


def _version(proven: Proven) -> int:
    return _approved(proven).version


def _verdict(errors: Sequence[ChainError], what: str) -> ChainError:
    """The most frequent refusal where a rule forbade it, else Unreachable."""
    refusals = [error for error in errors if isinstance(error, Rejected)]
    if refusals:
        code = Counter(error.code for error in refusals).most_common(1)[0][0]
        reason = next(error.reason for error in refusals if error.code == code)
        return Rejected(code, f"{what}: {reason}")
    return Unreachable("; ".join([what, *map(str, errors)]))


async def _cancel(tasks: set[asyncio.Task[T]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
