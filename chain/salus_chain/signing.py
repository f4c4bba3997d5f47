"""What gateways, coordinators and hospitals sign, each as one call: transactions and requests for bytes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from salus_chain.codec import encode
from salus_chain.keys import Signer
from salus_chain.rules.transactions import (
    Commit,
    Consent,
    Enrol,
    OpenRound,
    Receipt,
    Revoke,
    Withdraw,
    sign_transaction,
)
from salus_chain.updates import UpdateHeader

FETCH_DOMAIN: Final = b"salus/fetch/1"
SIGNATURE_HEADER: Final = "x-salus-signature"
KEY_HEADER: Final = "x-salus-key"
TIME_HEADER: Final = "x-salus-time-ms"


def fetch_headers(chain_id: bytes, digest: bytes, signer: Signer) -> dict[str, str]:
    """How a gateway or validator names itself when it asks for the bytes of an update."""
    time_ms = time.time_ns() // 1_000_000
    signature = signer.sign(FETCH_DOMAIN, encode((chain_id, digest, time_ms)))
    return {KEY_HEADER: signer.public_key.hex(), TIME_HEADER: str(time_ms), SIGNATURE_HEADER: signature.hex()}


def open_round_tx(chain_id: bytes, signer: Signer, nonce: int, body: OpenRound) -> bytes:
    return sign_transaction(chain_id, signer, nonce, body)


def commit_tx(
    chain_id: bytes,
    signer: Signer,
    nonce: int,
    header: UpdateHeader,
    digest: bytes,
    receipts: Sequence[Receipt],
) -> bytes:
    """A gateway's commit to the update file of this header and digest."""
    body = Commit(header, digest, tuple(sorted(receipts, key=lambda receipt: receipt.public_key)))
    return sign_transaction(chain_id, signer, nonce, body)


def enrol_tx(chain_id: bytes, signer: Signer, nonce: int, gateway: str, public_key: bytes, patients: int) -> bytes:
    return sign_transaction(chain_id, signer, nonce, Enrol(gateway, public_key, patients))


def revoke_tx(chain_id: bytes, signer: Signer, nonce: int, gateway: str) -> bytes:
    return sign_transaction(chain_id, signer, nonce, Revoke(gateway))


def consent_tx(
    chain_id: bytes,
    signer: Signer,
    nonce: int,
    consent: bytes,
    device: bytes,
    form: bytes = bytes(32),
    tasks: tuple[str, ...] = (),
) -> bytes:
    return sign_transaction(chain_id, signer, nonce, Consent(consent, device, form, tasks))


def withdraw_tx(chain_id: bytes, signer: Signer, nonce: int, consent: bytes) -> bytes:
    return sign_transaction(chain_id, signer, nonce, Withdraw(consent))
