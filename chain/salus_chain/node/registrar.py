"""Brings what validator.toml lists, gateways and consents, onto the chain."""

from __future__ import annotations

import structlog

from salus_chain.errors import Rejected
from salus_chain.node.ledger import Ledger
from salus_chain.node.validator import ValidatorConfig
from salus_chain.rules.state import State
from salus_chain.rules.transactions import Consent, Enrol, sign_transaction

log = structlog.get_logger()


def wanted(config: ValidatorConfig, state: State, seat_key: bytes) -> list[Enrol | Consent]:
    """The transactions that are still needed for `state` to hold what `config` lists."""
    needed: list[Enrol | Consent] = []
    for row in config.gateways:
        key, known = bytes.fromhex(row.public_key), state.gateways.get(row.id)
        enrolled = known is not None and not known.revoked and known.validator == seat_key
        if not enrolled or known is None or (known.public_key, known.patients) != (key, row.patients):
            needed.append(Enrol(row.id, key, row.patients))
    pairs = [(bytes.fromhex(row.consent), bytes.fromhex(row.device)) for row in config.consents]
    return needed + [Consent(consent, device) for consent, device in pairs if consent not in state.consents]


class Registrar:
    """Submits what is wanted, once a second until nothing is; a refusal is told once and not tried again."""

    def __init__(self, config: ValidatorConfig, ledger: Ledger) -> None:
        self._config = config
        self._ledger = ledger
        self._refused: set[Enrol | Consent] = set()

    def submit(self) -> bool:
        """Whether anything is still to become final."""
        ledger, signer = self._ledger, self._ledger.identity.signer
        for body in wanted(self._config, ledger.mempool.pending, signer.public_key):
            if body in self._refused:
                continue
            nonce = ledger.mempool.next_nonce(signer.public_key)
            try:
                ledger.submit(sign_transaction(ledger.state.genesis.chain_id, signer, nonce, body))
            except Rejected as error:
                self._refused.add(body)
                log.warning("not registered", what=type(body).__name__.lower(), code=error.code, reason=error.reason)
        return not set(wanted(self._config, ledger.state, signer.public_key)) <= self._refused
