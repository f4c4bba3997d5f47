"""Who acts in a measured federation: hospitals and gateways with keys, and what they sign."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec

from salus_chain.bench.network import LocalNetwork
from salus_chain.config import beside
from salus_chain.fixed import Int32s
from salus_chain.keys import KeySigner, PemSigner, Signer
from salus_chain.layout import Layout, Variable
from salus_chain.node.validator import read_validator
from salus_chain.rules.transactions import Consent, OpenRound, sign_transaction
from salus_chain.updates import UpdateHeader, encode_update

TASK: Final = "bench"
PROGRAM: Final = bytes(32)
CONSENT_TASKS: Final = ("activity", "arrhythmia", "fall", "heartrate", "respiration", "seizure")


@dataclass(frozen=True, slots=True)
class Hospital:
    """A validator's key at work."""

    chain_id: bytes
    signer: Signer

    @property
    def key(self) -> bytes:
        return self.signer.public_key

    def consent(self, nonce: int) -> bytes:
        """A transaction of about 300 bytes that is always valid and meets no other: a new patient's consent."""
        body = Consent(os.urandom(32), os.urandom(32), os.urandom(32), CONSENT_TASKS)
        return sign_transaction(self.chain_id, self.signer, nonce, body)


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway of the hospital at `seat`."""

    id: str
    seat: int
    signer: Signer


def hospitals(network: LocalNetwork) -> list[Hospital]:
    """By seat."""
    chain_id = network.founded.genesis.chain_id
    keys = (beside(path, read_validator(path).key) for path in network.founded.validators)
    return [Hospital(chain_id, PemSigner.load(key)) for key in keys]


def gateways(count: int, validators: int, prefix: str = "gateway") -> list[Gateway]:
    """`count` gateways with new keys, spread over the hospitals."""
    keys = [KeySigner(ec.generate_private_key(ec.SECP256R1())) for _ in range(count)]
    return [Gateway(f"{prefix}-{number}", number % validators, key) for number, key in enumerate(keys)]


def layout(size: int) -> Layout:
    """One shared dense layer of `size` numbers."""
    return Layout((Variable("trunk0/kernel", (size, 1), "trunk"),))


def open_round(
    shape: Layout, number: int, now_ms: int, open_ms: int, least: int, rule: str = "clipped_mean"
) -> OpenRound:
    """A feature round over the whole layout."""
    names = tuple(variable.name for variable in shape.variables)
    deadline_ms = now_ms + open_ms
    return OpenRound(
        task=TASK,
        round=number,
        kind="feature",
        base_sha256=bytes(32),
        program_digest=PROGRAM,
        variables=names,
        algorithm="fedavg",
        parameters=(),
        rule="clipped_mean",
        norm_bound=1 << 28,
        min_updates=least,
        w_max=100,
        deadline_ms=deadline_ms,
        settle_deadline_ms=deadline_ms + 60_000,
    )


def update(chain_id: bytes, shape: Layout, gateway: Gateway, round_: int, model: bytes) -> tuple[UpdateHeader, bytes]:
    """A gateway's update of random values, with its header."""
    header = UpdateHeader(chain_id, TASK, round_, gateway.id, model, shape.digest, 1, shape.size)
    return header, encode_update(header, values(shape.size))


def values(size: int) -> Int32s:
    """Random int32 (size,) of about 1 at 2^-24."""
    return np.random.default_rng().integers(-(1 << 24), 1 << 24, size, dtype=np.int32)
