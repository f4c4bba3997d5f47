"""The client of a federation's validators, for gateways and coordinators.

A read goes to any validator that answers. What matters is never taken from one validator's word: settlements
and releases are checked by their proofs, blobs by their digests, receipts and approvals by their signatures.
"""

from __future__ import annotations

from salus_chain.client.approvals import Approvals
from salus_chain.client.proving import Proving
from salus_chain.client.reading import Reading
from salus_chain.client.submitting import Submitting
from salus_chain.client.watching import Watching
from salus_chain.signing import commit_tx, consent_tx, enrol_tx, open_round_tx, revoke_tx, withdraw_tx

__all__ = [
    "ChainClient",
    "commit_tx",
    "consent_tx",
    "enrol_tx",
    "open_round_tx",
    "revoke_tx",
    "withdraw_tx",
]


class ChainClient(Reading, Submitting, Approvals, Proving, Watching):
    """One federation's validators at `urls`, as an asynchronous context manager."""
