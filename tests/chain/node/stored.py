"""A store of one small federation, and how blocks come into it."""

from __future__ import annotations

from pathlib import Path

from salus_chain.node.storage.store import Store
from salus_chain.rules.state import State
from tests.chain.federation import federation

F = federation()


H = bytes([1]) * 32


def opened(tmp_path: Path) -> Store:
    Store.create(tmp_path / "chain.sqlite", F.genesis)
    return Store.open(tmp_path / "chain.sqlite", F.genesis)


def extend(store: Store, state: State, *transactions: bytes) -> State:
    block, after = F.block(state, *transactions)
    store.append(block, F.certify(block), state, after)
    return after
