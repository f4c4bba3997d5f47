"""Transactions that wait for a block, judged on the state that the ones before them would leave. Pure.

**Judged as by a block.** `add` runs `apply_tx`, the function that executes blocks, and raises what it raises. After
a block all that still wait are judged anew, once, when the mempool is next asked for something; what fails then is
dropped and its reason kept. The same transaction waits once; one that is final fails by its nonce.

**Nonces.** Each sender's transactions wait in the order of their nonces. One from a sender that the chain knows,
whose nonce is up to `ahead` too high, waits for the gap to close (a sender may hand its transactions to several
validators); after `gap_ms` it is dropped as `nonce_gap`.

**Order of a proposal.** First what ends a right (evidence, set_validators, deauthorize, revoke, withdraw), then what
a quorum signed (settle, approve), then the rest; inside a class by arrival; never against a sender's nonces.

**Room.** When count or bytes are used up, the newcomer and all that wait compete: of the lowest class, the holder of
the most bytes loses its newest; `mempool_full` when that is the newcomer. A sender that lost one is `mempool_full`
until the next block, since what it lost was already counted in. Also refused: `too_many_waiting` of one sender, and
`too_fast` beyond a sender's rate, which counts only what was admitted, so that nobody uses up another's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from salus_chain.errors import Rejected
from salus_chain.node.pool.gaps import Gaps
from salus_chain.node.pool.rates import Rates
from salus_chain.node.pool.waiting import Lane, Waiting, holder_of, lane_of
from salus_chain.rules.apply import apply_tx, begin, block_time, is_signed
from salus_chain.rules.blocks import MAX_BLOCK_BYTES, MAX_BLOCK_TRANSACTIONS
from salus_chain.rules.rounds import next_due_ms
from salus_chain.rules.state import State
from salus_chain.rules.transactions import Transaction, TxId

MAX_DROPPED: Final = 4_096


@dataclass(frozen=True, slots=True)
class Limits:
    """What one validator holds. The rate is of one sender."""

    count: int = 10_000
    size_bytes: int = 32 << 20
    per_sender: int = 4_096
    early: int = 4_096  # that wait for a gap to close, of all senders
    early_bytes: int = 8 << 20
    ahead: int = 1_024  # how far a nonce may be ahead of the sender's next
    gap_ms: int = 10_000
    rate_per_s: int = 4_000
    burst: int = 8_000


class Mempool:
    """What waits on top of the state `base` of the last block."""

    def __init__(self, base: State, now_ms: int, limits: Limits) -> None:
        self.base = base
        self.limits = limits
        self._dropped: dict[TxId, Rejected] = {}
        self._rates = Rates(limits.rate_per_s, limits.burst)
        self._line = Waiting()
        self._gaps = Gaps()
        self._evicted: dict[bytes, int] = {}  # since the last block: sender → the lowest nonce that it lost
        self._seen_ms: dict[TxId, int] = {}  # of all that wait
        self._finality_ms: deque[int] = deque(maxlen=limits.count)
        self._now_ms = now_ms
        self._stale = False
        self._pending = begin(base, block_time(base, now_ms))

    @classmethod
    def on(cls, state: State, now_ms: int, limits: Limits | None = None) -> Mempool:
        return cls(state, now_ms, limits or Limits())

    @property
    def waiting(self) -> Mapping[TxId, Transaction]:
        """In order of arrival; without those before which a nonce is missing."""
        return self._line.arrived

    @property
    def dropped(self) -> Mapping[TxId, Rejected]:
        """The latest that waited in vain, with the reason."""
        self._refresh()
        return self._dropped

    @property
    def size_bytes(self) -> int:
        return self._line.size_bytes + self._gaps.size_bytes

    @property
    def pending(self) -> State:
        """The state after all that wait, inside the next block."""
        self._refresh()
        return self._pending

    def __contains__(self, tx_id: object) -> bool:
        return tx_id in self._line.arrived or tx_id in self._gaps

    def __len__(self) -> int:
        return len(self._line.arrived) + len(self._gaps)

    def next_nonce(self, sender: bytes) -> int:
        """The nonce that this sender should use next."""
        wanted = self.pending.nonces.get(sender, 0)
        return self._evicted.get(sender, wanted)

    def spare(self, sender: bytes, now_ms: int) -> int:
        """How many more the sender's rate allows now: what is beyond it need not be verified."""
        return self._rates.spare(sender, now_ms)

    def add(self, tx: Transaction, now_ms: int, *, metered: bool = True) -> None:
        """Let a transaction wait; a peer's is not `metered`, it was where it came in.

        Raises Rejected as the next block would, or as the docstring above says.
        """
        tx_id = tx.id
        if tx_id in self:
            return
        self._advance(now_ms)
        if metered and tx.sender:
            self._rates.check(tx.sender, now_ms)
        if tx.sender and self._is_early(tx):
            self._hold(tx_id, tx)
        else:
            self._admit(tx_id, tx)
            if self._gaps:
                self._close_gap(tx.sender)
        self._seen_ms[tx_id] = now_ms
        if metered and tx.sender:
            self._rates.take(tx.sender, now_ms)

    def rebase(self, state: State, now_ms: int, final: Iterable[bytes] = ()) -> None:
        """A block made `state`, and these final. What still waits is judged anew when next asked for."""
        self.base, self._now_ms, self._stale = state, now_ms, True
        for each in final:
            tx_id = TxId(each)
            self._line.finished(tx_id)
            self._gaps.pop(tx_id)
            seen_ms = self._seen_ms.pop(tx_id, None)
            if seen_ms is not None:
                self._finality_ms.append(max(0, now_ms - seen_ms))

    def finality_ms(self) -> list[int]:
        """How long each took that became final since the last call, from `add` to `rebase`; those not seen are not."""
        taken = list(self._finality_ms)
        self._finality_ms.clear()
        return taken

    def next_block(self, most: int = MAX_BLOCK_TRANSACTIONS) -> list[Transaction]:
        """What a proposal made now should hold, in its order; at most so many."""
        self._refresh()
        return self._line.first(min(most, MAX_BLOCK_TRANSACTIONS), MAX_BLOCK_BYTES // 2)

    def tick(self, now_ms: int) -> None:
        """Drop what waited too long for a gap to close."""
        self._now_ms = max(self._now_ms, now_ms)
        self._refresh()
        while oldest := self._gaps.oldest():
            tx_id, tx, since_ms = oldest
            if now_ms - since_ms < self.limits.gap_ms:
                return
            self._gaps.pop(tx_id)
            wanted = self._pending.nonces.get(tx.sender, 0)
            reason = f"nonce {tx.nonce} waited {self.limits.gap_ms} ms for nonce {wanted}; send that one first"
            self._drop(tx_id, Rejected("nonce_gap", reason))

    def _advance(self, now_ms: int) -> None:
        """Bring the judging state to a time; a round that came due since changes what is valid."""
        due_ms = next_due_ms(self._pending)
        if not self._line.arrived or (due_ms is not None and now_ms >= due_ms):
            self._stale = True
        self.tick(now_ms)

    def _refresh(self) -> None:
        """Judge all that wait anew, if a block or a due round came since it was last done."""
        if not self._stale:
            return
        self._stale = False
        arrived, self._line = self._line.arrived, Waiting()
        self._evicted.clear()
        self._pending = begin(self.base, block_time(self.base, self._now_ms))
        for tx_id, tx in arrived.items():
            self._judge_again(tx_id, tx)
        for sender in self._gaps.senders():
            for tx_id in self._gaps.below(sender, self._pending.nonces.get(sender, 0)):
                self._gaps.pop(tx_id)
                self._drop(tx_id, Rejected("wrong_nonce", "another transaction took its nonce; sign with the next"))
            self._close_gap(sender)

    def _judge_again(self, tx_id: TxId, tx: Transaction) -> None:
        try:
            self._pending = apply_tx(self._pending, tx)
        except Rejected as reason:
            if tx.sender and self._is_early(tx) and not self._crowded(tx):  # one before it was dropped
                self._gaps.keep(tx_id, tx, self._now_ms)
            else:
                self._drop(tx_id, reason)
        else:
            self._line.append(tx_id, tx)

    def _admit(self, tx_id: TxId, tx: Transaction) -> None:
        """Raises Rejected, and then nothing changed but who had to make room."""
        self._check_room(tx_id, tx)
        after = apply_tx(self._pending, tx)
        self._make_room(tx_id, tx)
        self._pending = after
        self._line.append(tx_id, tx)

    def _is_early(self, tx: Transaction) -> bool:
        ahead = tx.nonce - self._pending.nonces.get(tx.sender, 0)
        return 0 < ahead <= self.limits.ahead and self._known(tx.sender)

    def _known(self, sender: bytes) -> bool:
        """Whether the chain has anything to do with this key; a stranger's may not wait."""
        state = self._pending
        homes = (state.nonces, state.keys, state.members, state.coordinators)
        return any(sender in home for home in homes)

    def _hold(self, tx_id: TxId, tx: Transaction) -> None:
        """Let a transaction wait for the gap before it to close. Raises Rejected."""
        wanted = self._pending.nonces.get(tx.sender, 0)
        if tx.chain_id != self._pending.genesis.chain_id:
            raise Rejected("wrong_chain", f"the transaction is for chain {tx.chain_id.hex()[:16]}")
        if not is_signed(tx):
            raise Rejected("bad_signature", f"the {tx.kind.name.lower()} is not signed by {tx.sender.hex()[:16]}")
        if self._gaps.at(tx.sender, tx.nonce):
            raise Rejected("wrong_nonce", f"another transaction with nonce {tx.nonce} waits for nonce {wanted}")
        if self._crowded(tx):
            raise Rejected("mempool_full", f"too many transactions wait for earlier ones; send nonce {wanted} first")
        self._gaps.keep(tx_id, tx, self._now_ms)

    def _crowded(self, tx: Transaction) -> bool:
        limits = self.limits
        return len(self._gaps) >= limits.early or self._gaps.size_bytes + len(tx.data) > limits.early_bytes

    def _close_gap(self, sender: bytes) -> None:
        """Judge those of a sender before which no nonce is missing any more."""
        while following := self._gaps.at(sender, self._pending.nonces.get(sender, 0)):
            tx = self._gaps.pop(following)
            assert tx is not None
            try:
                self._admit(following, tx)
            except Rejected as reason:
                self._drop(following, reason)

    def _check_room(self, tx_id: TxId, tx: Transaction) -> None:
        """Raises Rejected when this newcomer would be the one to go."""
        if tx.sender in self._evicted:
            raise Rejected("mempool_full", "a transaction of this sender had to make room; go on after the next block")
        if self._line.count(holder_of(tx, tx_id)) >= self.limits.per_sender:
            raise Rejected("too_many_waiting", f"{self.limits.per_sender} of this sender wait; go on after a block")
        if self._lacks_room(tx):
            self._loser(tx_id, tx)

    def _lacks_room(self, tx: Transaction) -> bool:
        limits, line = self.limits, self._line
        return len(line.arrived) >= limits.count or line.size_bytes + len(tx.data) > limits.size_bytes

    def _loser(self, tx_id: TxId, tx: Transaction) -> bytes:
        """The holder that loses its newest for this newcomer. Raises Rejected `mempool_full` when it is this one."""
        own, lane, line = holder_of(tx, tx_id), lane_of(tx.kind), self._line
        lowest = next(each for each in sorted(Lane, reverse=True) if each is lane or line.heaviest(each))
        heaviest = line.heaviest(lowest)
        lighter = lowest is not lane or line.held(own) + len(tx.data) < line.held(heaviest or b"")
        if heaviest in (None, own) or not lighter:
            raise Rejected("mempool_full", f"{len(line.arrived)} transactions wait already; try again later")
        assert heaviest is not None
        return heaviest

    def _make_room(self, tx_id: TxId, tx: Transaction) -> None:
        while self._lacks_room(tx):
            gone_id, gone = self._line.forget_last(self._loser(tx_id, tx))
            self._drop(gone_id, Rejected("mempool_full", "it had to make room for others; submit it again later"))
            if gone.sender:
                self._evicted[gone.sender] = min(gone.nonce, self._evicted.get(gone.sender, gone.nonce))

    def _drop(self, tx_id: TxId, reason: Rejected) -> None:
        self._dropped[tx_id] = reason
        self._seen_ms.pop(tx_id, None)
        while len(self._dropped) > MAX_DROPPED:
            del self._dropped[next(iter(self._dropped))]
