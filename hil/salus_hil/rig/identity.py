"""Who a rig's wearable is for one test: names, keys, and the two signers whose releases it takes."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import ec

from salus_chain.keys import KeySigner, Signer
from salus_edge.link import LinkKeys, derive_keys, topic


def _new_signer() -> Signer:
    return KeySigner(ec.generate_private_key(ec.SECP256R1()))


@dataclass(frozen=True, slots=True)
class Identity:
    """A fresh enrolment: no two tests share a secret, so that nothing sealed in one opens in another."""

    device: str = "rig-1"
    federation: str = "rig"
    link_secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    chain_id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    release: Signer = field(default_factory=_new_signer, repr=False)
    gateway: Signer = field(default_factory=_new_signer, repr=False)

    @property
    def keys(self) -> LinkKeys:
        """The link's two keys."""
        return derive_keys(self.link_secret, self.chain_id, self.device)

    def topic(self, kind: str) -> str:
        """One of this device's topics."""
        return topic(self.federation, self.device, kind)
