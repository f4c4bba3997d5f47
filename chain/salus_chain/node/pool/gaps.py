"""Transactions that came before an earlier one of their sender, until the gap closes or they waited too long."""

from __future__ import annotations

from salus_chain.rules.transactions import Transaction, TxId


class Gaps:
    """In order of arrival, at most one for a sender and nonce."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._held: dict[TxId, tuple[Transaction, int]] = {}  # and since when, in ms
        self._nonces: dict[bytes, dict[int, TxId]] = {}

    def __contains__(self, tx_id: object) -> bool:
        return tx_id in self._held

    def __len__(self) -> int:
        return len(self._held)

    def senders(self) -> tuple[bytes, ...]:
        return tuple(self._nonces)

    def at(self, sender: bytes, nonce: int) -> TxId | None:
        return self._nonces.get(sender, {}).get(nonce)

    def below(self, sender: bytes, nonce: int) -> list[TxId]:
        """Those of a sender whose nonce is used up."""
        return [tx_id for each, tx_id in self._nonces.get(sender, {}).items() if each < nonce]

    def oldest(self) -> tuple[TxId, Transaction, int] | None:
        """The one that waits longest, and since when."""
        for tx_id, (tx, since_ms) in self._held.items():
            return tx_id, tx, since_ms
        return None

    def keep(self, tx_id: TxId, tx: Transaction, now_ms: int) -> None:
        self._held[tx_id] = (tx, now_ms)
        self._nonces.setdefault(tx.sender, {})[tx.nonce] = tx_id
        self.size_bytes += len(tx.data)

    def pop(self, tx_id: TxId) -> Transaction | None:
        """Take one out, if it is there."""
        if tx_id not in self._held:
            return None
        tx, _ = self._held.pop(tx_id)
        own = self._nonces[tx.sender]
        del own[tx.nonce]
        if not own:
            del self._nonces[tx.sender]
        self.size_bytes -= len(tx.data)
        return tx
