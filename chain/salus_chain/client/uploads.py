"""Updates to the validators that keep them, and bytes back by their digests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import httpx

from salus_chain.client.asking import Asking, cancel, verdict
from salus_chain.codec import decode
from salus_chain.errors import ChainError, DecodeError, Rejected, Unreachable
from salus_chain.fixed import Int32s
from salus_chain.genesis import faults
from salus_chain.keys import Signer, verify
from salus_chain.rules.transactions import RECEIPT_DOMAIN, Receipt, receipt_bytes
from salus_chain.signing import SIGNATURE_HEADER, fetch_headers
from salus_chain.updates import decode_model, decode_update, sign_upload, update_digest
from salus_chain.views import TaskView

STRAGGLER_S: Final = 0.2  # how long slower validators may still take in an update once enough have it


class Uploads(Asking):
    """Gives and takes bytes."""

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
            await cancel(pending)
        if len(receipts) < wanted:
            raise verdict(errors, f"{len(receipts)} of {wanted} receipts for update {digest.hex()[:16]}")
        return tuple(receipts[key] for key in sorted(receipts))

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
        raise verdict(errors, f"no validator has blob {digest.hex()[:16]}")

    async def model(self, model: TaskView | bytes) -> Int32s:
        """The model int32 (D,) in the layout's order, of a task or by digest; the digest is checked."""
        digest = model.model_digest if isinstance(model, TaskView) else model
        return decode_model(await self.blob(digest))[1]
