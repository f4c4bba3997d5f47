"""Salus' chain: a small proof-of-authority chain that settles federated rounds. Names load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from salus_chain.aggregation.aggregate import apply_aggregate
    from salus_chain.aggregation.report import Report
    from salus_chain.candidates import Candidate, ModelCandidate, ReleaseCandidate
    from salus_chain.client import ChainClient
    from salus_chain.errors import (
        ChainError,
        ConfigError,
        DecodeError,
        ProofError,
        Rejected,
        Unreachable,
    )
    from salus_chain.founding import Founded, init_chain
    from salus_chain.genesis import Genesis, Policy, Validator, read_genesis, write_genesis
    from salus_chain.keys import PemSigner, Signer, verify
    from salus_chain.layout import Layout, Variable
    from salus_chain.node.validator import (
        ConsentSeat,
        GatewaySeat,
        ValidatorConfig,
        read_validator,
        write_validator,
    )
    from salus_chain.rules.transactions import OpenRound, Receipt
    from salus_chain.signing import commit_tx, consent_tx, enrol_tx, open_round_tx, revoke_tx, withdraw_tx
    from salus_chain.updates import (
        UpdateHeader,
        decode_model,
        decode_update,
        encode_model,
        encode_update,
        model_digest,
        update_digest,
    )
    from salus_chain.views import (
        ApprovedRelease,
        GatewayView,
        ReleaseView,
        RoundView,
        Settlement,
        Status,
        TaskView,
    )

__all__ = [
    "ApprovedRelease",
    "Candidate",
    "ChainClient",
    "ChainError",
    "ConfigError",
    "ConsentSeat",
    "DecodeError",
    "Founded",
    "GatewaySeat",
    "GatewayView",
    "Genesis",
    "Layout",
    "ModelCandidate",
    "OpenRound",
    "PemSigner",
    "Policy",
    "ProofError",
    "Receipt",
    "Rejected",
    "ReleaseCandidate",
    "ReleaseView",
    "Report",
    "RoundView",
    "Settlement",
    "Signer",
    "Status",
    "TaskView",
    "Unreachable",
    "UpdateHeader",
    "Validator",
    "ValidatorConfig",
    "Variable",
    "apply_aggregate",
    "commit_tx",
    "consent_tx",
    "decode_model",
    "decode_update",
    "encode_model",
    "encode_update",
    "enrol_tx",
    "init_chain",
    "model_digest",
    "open_round_tx",
    "read_genesis",
    "read_validator",
    "revoke_tx",
    "update_digest",
    "verify",
    "withdraw_tx",
    "write_genesis",
    "write_validator",
]

_HOMES: Final = {
    "aggregation.aggregate": ("apply_aggregate",),
    "aggregation.report": ("Report",),
    "candidates": ("Candidate", "ModelCandidate", "ReleaseCandidate"),
    "client": ("ChainClient",),
    "errors": ("ChainError", "ConfigError", "DecodeError", "ProofError", "Rejected", "Unreachable"),
    "founding": ("Founded", "init_chain"),
    "genesis": ("Genesis", "Policy", "Validator", "read_genesis", "write_genesis"),
    "keys": ("PemSigner", "Signer", "verify"),
    "layout": ("Layout", "Variable"),
    "signing": ("commit_tx", "consent_tx", "enrol_tx", "open_round_tx", "revoke_tx", "withdraw_tx"),
    "rules.transactions": ("OpenRound", "Receipt"),
    "updates": (
        "UpdateHeader",
        "decode_model",
        "decode_update",
        "encode_model",
        "encode_update",
        "model_digest",
        "update_digest",
    ),
    "node.validator": ("ConsentSeat", "GatewaySeat", "ValidatorConfig", "read_validator", "write_validator"),
    "views": ("ApprovedRelease", "GatewayView", "ReleaseView", "RoundView", "Settlement", "Status", "TaskView"),
}


def __getattr__(name: str) -> Any:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
