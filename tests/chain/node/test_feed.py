"""Events of stored blocks: the life of rounds, releases, validators; the same however often they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus_chain.genesis import Validator
from salus_chain.inspection import Event
from salus_chain.node.http import feed as module
from salus_chain.node.http.feed import Feed
from salus_chain.node.storage.store import Store
from salus_chain.rules.state import State, genesis_state
from salus_chain.rules.transactions import ApproveModel, Change, Enrol, SetValidators
from tests.chain.federation import LAYOUT, MODEL_DIGEST, PROGRAM, TASK, federation, signer

F = federation()


class Chain:
    """A database that grows block by block."""

    def __init__(self, path: Path) -> None:
        Store.create(path, F.genesis)
        self.store = Store.open(path, F.genesis)
        self.state: State = genesis_state(F.genesis)

    def block(self, *transactions: bytes, at_ms: int | None = None) -> State:
        block, after = F.block(self.state, *transactions, at_ms=at_ms)
        self.store.append(block, F.certify(block), self.state, after)
        self.state = after
        return after

    def begin(self) -> None:
        self.block(F.quorum(ApproveModel(TASK, 1, LAYOUT.to_json(), PROGRAM, MODEL_DIGEST)))
        for number in range(3):
            enrol = Enrol(f"gateway-{number}", F.gateway(number).public_key, 4)
            self.block(F.sign(F.hospital(number), self.state, enrol))

    def open(self) -> None:
        self.block(F.sign(F.coordinator, self.state, F.open_body(self.state)))

    def settle_deadline(self) -> int:
        return self.state.rounds[TASK].open.settle_deadline_ms


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    made = Chain(tmp_path / "chain.db")
    made.begin()
    return made


def told(chain: Chain, feed: Feed, height: int = 0) -> list[Event]:
    """All events after a height, read as a client does."""
    events: list[Event] = []
    while batches := list(feed.after(height, chain.state)):
        events += [event for batch in batches for event in batch]
        height += len(batches)
    return events


def short(events: list[Event]) -> list[str]:
    return [f"{each.data['what']} {each.data['round']}" for each in events if each.type == "round"]


def test_a_rounds_life_is_told_in_the_blocks_where_it_happens(chain: Chain) -> None:
    chain.open()
    for number in range(3):
        chain.block(F.commit(chain.state, number))
    closing = chain.block(at_ms=chain.state.rounds[TASK].open.deadline_ms).height
    settling = chain.block(F.quorum(F.settle_body(chain.state))).height
    events = told(chain, Feed(chain.store))
    rounds = [(each.data["what"], each.height) for each in events if each.type == "round"]
    assert rounds == [("opened", 5), ("closed", closing), ("settled", settling)]
    assert [each.height for each in events if each.type == "block"] == list(range(1, chain.state.height + 1))
    assert all(each.id.startswith(f"{each.height}-") for each in events)


def test_a_round_expires_for_want_of_updates_or_of_a_settlement(chain: Chain) -> None:
    chain.open()
    chain.block(at_ms=chain.state.rounds[TASK].open.deadline_ms)
    chain.open()
    for number in range(3):
        chain.block(F.commit(chain.state, number))
    chain.block(at_ms=chain.state.rounds[TASK].open.deadline_ms)
    chain.block(at_ms=chain.settle_deadline())
    chain.open()
    events = told(chain, Feed(chain.store))
    assert short(events) == ["opened 1", "expired 1", "opened 2", "closed 2", "expired 2", "opened 3"]
    reasons = [each.data["reason"] for each in events if each.data.get("what") == "expired"]
    assert reasons == ["too_few_updates", "not_settled"]


def test_a_reader_that_comes_later_is_told_the_same(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_BLOCKS", 2)
    monkeypatch.setattr(module, "KEPT_BLOCKS", 3)
    feed = Feed(chain.store)
    live = told(chain, feed)
    chain.open()  # nobody reads this one when it happens
    chain.block(at_ms=chain.settle_deadline())
    live += told(chain, feed, live[-1].height)
    assert told(chain, feed) == told(chain, Feed(chain.store)) == live
    assert told(chain, feed, chain.state.height) == []


def test_a_change_of_validators_is_told_when_it_is_decided_and_when_it_takes_effect(chain: Chain) -> None:
    member = Validator("hospital-4", signer(50).public_key, "127.0.0.1:7004", "https://127.0.0.1:8004")
    for sequence, change in enumerate((Change.ADMIT, Change.SEAT), 1):
        chain.block(F.quorum(SetValidators(sequence, change, member)))
    decided = chain.state.height
    chain.block()
    events = [each for each in told(chain, Feed(chain.store)) if each.type == "validators"]
    assert [each.data["what"] for each in events] == ["admit", "seat", "in effect"]
    assert events[1].data["from_height"] == events[2].data["from_height"] == decided + 2
