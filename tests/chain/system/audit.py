"""What must hold after any scenario, from the databases of all honest validators; nobody's word counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from salus_chain import UpdateHeader, model_digest, verify
from salus_chain.aggregation.rule import AggregationRule
from salus_chain.consensus.messages import Council, Decided, is_decided
from salus_chain.fixed import Int32s
from salus_chain.node.storage.holdings import DATABASE_FILE
from salus_chain.node.storage.store import Store
from salus_chain.rules.apply import apply_block
from salus_chain.rules.blocks import Block, Certificate
from salus_chain.rules.state import Round, State, genesis_state
from salus_chain.rules.transactions import Settle, read_transaction
from tests.chain.aggregation.oracle import Round as Updates
from tests.chain.aggregation.oracle import plain
from tests.chain.federation import LAYOUT, SHARED, TASK, model_values
from tests.chain.system.breakable import BreakableNetwork
from tests.chain.system.load import Confirmed

LARGEST = (1 << 31) - 1
Uploads = Mapping[bytes, tuple[UpdateHeader, Int32s]]  # by the digest of their files
Chain = list[tuple[Block, Certificate]]


@dataclass(frozen=True, slots=True)
class Audited:
    """One chain, the same everywhere, and the state after it."""

    chain: Chain
    state: State

    @property
    def round_changes(self) -> int:
        """How many rounds of consensus failed before each block was decided, in sum."""
        return sum(certificate.round for _, certificate in self.chain)


def audit(network: BreakableNetwork, confirmed: Sequence[Confirmed], uploads: Uploads | None = None) -> Audited:
    """Check a network that has stopped; raises AssertionError."""
    chains = {seat: _read(network, seat) for seat in network.honest}
    longest = max(chains.values(), key=len)
    for seat, chain in chains.items():
        for (block, _), (other, _) in zip(chain, longest, strict=False):
            assert block.digest == other.digest, f"validator {seat} has another block {block.header.height}"
        assert len(chain) == len(longest), f"validator {seat} ends at {len(chain)}, others at {len(longest)}"
    state = _replay(network, chains)
    _confirmed_stand(longest, confirmed)
    _convicted_are_liars(network, state)
    _models_follow(network, longest, uploads or {})
    return Audited(longest, state)


def _read(network: BreakableNetwork, seat: int) -> Chain:
    store = Store.open(network.data(seat) / DATABASE_FILE, network.founded.genesis)
    try:
        return list(store.range(1, 1 << 31, 1 << 40))
    finally:
        store.close()


def _replay(network: BreakableNetwork, chains: Mapping[int, Chain]) -> State:
    """Every block follows from those before, and every validator's certificate of it holds."""
    state = genesis_state(network.founded.genesis)
    for height, rows in enumerate(zip(*chains.values(), strict=True), start=1):
        council = Council.of(network.founded.genesis.chain_id, state.validators, verify)
        for seat, row in zip(chains, rows, strict=True):
            assert is_decided(council, Decided(*row)), f"validator {seat}: the certificate of block {height} fails"
        state = apply_block(state, rows[0][0])
    return state


def _confirmed_stand(chain: Chain, confirmed: Sequence[Confirmed]) -> None:
    """What was said to be final is final there, and nothing is final twice."""
    places: dict[bytes, int] = {}
    for block, _ in chain:
        for tx in map(read_transaction, block.transactions):
            assert tx.id not in places, f"transaction {tx.id.hex()} is in two blocks"
            places[tx.id] = block.header.height
    for each in confirmed:
        assert places.get(each.tx_id) == each.height, f"{each} is final at {places.get(each.tx_id)}"


def _convicted_are_liars(network: BreakableNetwork, state: State) -> None:
    keys = network.founded.genesis.keys
    convicted = {keys.index(key) for key, standing in state.standings.items() if standing.convicted_height}
    assert convicted <= set(network.liars), f"honest validators were convicted: {convicted - set(network.liars)}"


def _models_follow(network: BreakableNetwork, chain: Chain, uploads: Uploads) -> None:
    """Each settled model is what plain integer arithmetic makes of the updates that the gateways sent."""
    state, model = genesis_state(network.founded.genesis), model_values()
    for block, _ in chain:
        for tx in map(read_transaction, block.transactions):
            if isinstance(tx.body, Settle) and tx.body.task == TASK:
                model = _settled(state.rounds[TASK], model, uploads)
                assert tx.body.model_after == model_digest(LAYOUT.digest, model), f"round {tx.body.round} is wrong"
        state = apply_block(state, block)


def _settled(each: Round, model: Int32s, uploads: Uploads) -> Int32s:
    sent = [uploads[commit.digest] for commit in each.commits]
    weights = [header.weight for header, _ in sent]
    rule = AggregationRule(each.open.rule, each.open.norm_bound)
    combined = plain(Updates(rule, [values.tolist() for _, values in sent], weights, [-1] * len(sent)))
    assert combined is not None
    after = model.tolist()
    for place, change in zip(LAYOUT.indices(SHARED).tolist(), combined, strict=True):
        after[place] = max(-LARGEST, min(LARGEST, after[place] + change))
    return np.array(after, np.int32)
