"""A release: settled weights requantised by the builder, named after this chain, and signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import httpx

from salus_chain.candidates import ReleaseCandidate
from salus_chain.codec import decode, fields, octets
from salus_chain.errors import DecodeError
from salus_chain.keys import Signer
from salus_chain.proto.release_pb2 import Manifest
from salus_coordinator.errors import CampaignError
from salus_coordinator.order import Order
from salus_edge.release import sign_manifest

TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Builder:
    """The builder's address; it is asked, never trusted: validators check what it makes against the settled
    model.
    """

    url: str

    async def requantise(self, order: Order) -> tuple[bytes, bytes]:
        """(base .tflite, unsigned manifest). Raises CampaignError `no_builder` or `builder_refuses`."""
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
                answer = await client.post(f"{self.url.rstrip('/')}/requantise", content=order.encode())
            first, second = fields(decode(answer.content), 2, "builder's answer")
            base, manifest = octets(first, "base"), octets(second, "manifest")
        except (httpx.HTTPError, DecodeError) as error:
            raise CampaignError("no_builder", f"{self.url} does not requantise ({error}); is it running?") from None
        if answer.status_code != httpx.codes.OK:
            raise CampaignError("builder_refuses", f"{base.decode()}: {manifest.decode()}")
        return base, manifest


def sign_release(signer: Signer, chain_id: bytes, manifest: bytes, model: bytes) -> ReleaseCandidate:
    """The release of this chain, signed over the manifest's bytes as they stand."""
    named = Manifest.FromString(manifest)
    named.chain_id = chain_id
    data = named.SerializeToString(deterministic=True)
    return ReleaseCandidate(sign_manifest(data, signer), model)
