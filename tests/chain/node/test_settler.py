from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from salus_chain.aggregation.aggregate import aggregate, apply_aggregate
from salus_chain.aggregation.rule import AggregationRule
from salus_chain.errors import DecodeError, Rejected
from salus_chain.node.settling.settler import Statements, missing, recompute
from salus_chain.rules.transactions import STATEMENT_DOMAIN, Settle, statement_bytes
from salus_chain.updates import decode_model, decode_update, update_digest
from tests.chain.federation import LAYOUT, MODEL, SHARED, TASK, federation, model_values

F = federation()
CLOSED = F.closed()
FILES = {update_digest(data): data for data in (F.update(CLOSED, number) for number in range(3))}
ROUND = CLOSED.rounds[TASK]
KEY = (TASK, 1)


def test_the_outcome_is_the_aggregate_of_the_files_on_the_shared_variables() -> None:
    outcome = recompute(CLOSED.tasks[TASK], ROUND, MODEL, FILES)
    rows = [decode_update(F.update(CLOSED, number)) for number in (2, 0, 1)]
    weights = np.array([header.weight for header, _ in rows], np.int64)
    names = [header.gateway for header, _ in rows]
    values, _ = aggregate(AggregationRule("clipped_mean", 1 << 24), np.stack([row for _, row in rows]), weights, names)
    after = apply_aggregate(model_values(), values, LAYOUT.indices(SHARED))
    assert np.array_equal(decode_model(outcome.model)[1], after)
    assert outcome.settle.model_after == sha256(outcome.model).digest()
    assert outcome.settle.commits_root == ROUND.commits_root
    untouched = LAYOUT.names(["base"])
    assert np.array_equal(after[LAYOUT.indices(untouched)], model_values()[LAYOUT.indices(untouched)])


@pytest.mark.parametrize("change", [{"weight": 3}, {"gateway": "gateway-9"}, {"round": 7}])
def test_a_file_that_is_not_what_was_committed_to_settles_nothing(change: dict[str, object]) -> None:
    wrong = F.update(CLOSED, 0, **change)
    digest = update_digest(F.update(CLOSED, 0))
    with pytest.raises(Rejected, match="wrong_update"):
        recompute(CLOSED.tasks[TASK], ROUND, MODEL, {**FILES, digest: wrong})


def test_a_damaged_file_settles_nothing() -> None:
    with pytest.raises(DecodeError):
        recompute(CLOSED.tasks[TASK], ROUND, MODEL, dict.fromkeys(FILES, b"junk"))


def test_missing_files_are_named() -> None:
    held = list(FILES)[:2]
    assert missing(ROUND, held) == (list(FILES)[2],)
    assert missing(ROUND, list(FILES)) == ()


def sign(seat: int, body: Settle) -> bytes:
    return F.validators[seat].sign(STATEMENT_DOMAIN, statement_bytes(F.genesis.chain_id, F.genesis.keys, body))


def test_only_signatures_that_verify_are_kept_once() -> None:
    body, pool = F.settle_body(CLOSED), Statements(F.genesis.chain_id, F.genesis.keys)
    assert pool.add(CLOSED, body, 0, sign(0, body))
    assert not pool.add(CLOSED, body, 0, sign(0, body))
    assert not pool.add(CLOSED, body, 1, sign(0, body))
    assert not pool.add(CLOSED, body, 9, sign(0, body))
    assert not pool.add(CLOSED, replace(body, round=2), 2, sign(1, body))
    assert pool.votes == {KEY: {0: (body, sign(0, body))}}


def test_a_quorum_that_agrees_is_found_whatever_a_liar_says_and_however_often() -> None:
    body, pool = F.settle_body(CLOSED), Statements(F.genesis.chain_id, F.genesis.keys)
    for seat in range(2):
        assert pool.add(CLOSED, body, seat, sign(seat, body))
    for number in range(1, 100):
        lie = replace(body, aggregate_digest=number.to_bytes(32))
        assert pool.add(CLOSED, lie, 2, sign(2, lie))
    assert pool.agreed(KEY, 3) is None and len(pool.votes[KEY]) == 3
    assert pool.add(CLOSED, body, 3, sign(3, body))
    assert pool.agreed(KEY, 3) == (body, {seat: sign(seat, body) for seat in (0, 1, 3)})


def test_signatures_that_come_before_the_close_are_kept_and_those_on_other_rounds_are_not() -> None:
    body, pool = F.settle_body(CLOSED), Statements(F.genesis.chain_id, F.genesis.keys)
    enrolled = F.enrolled()
    assert pool.add(enrolled, body, 0, sign(0, body))  # the opening is one block away
    for far in (replace(body, round=5), replace(body, task="another")):
        assert not pool.add(enrolled, far, 1, sign(1, far))
    for state in (enrolled, F.opened(enrolled), CLOSED):
        pool.forget_settled(state)
        assert pool.votes
    settled = F.apply(CLOSED, F.quorum(body))
    pool.forget_settled(settled)
    assert not pool.votes and not pool.add(settled, body, 0, sign(0, body))


def test_signatures_under_a_former_set_are_forgotten() -> None:
    body, pool = F.settle_body(CLOSED), Statements(F.genesis.chain_id, F.genesis.keys)
    assert pool.add(CLOSED, body, 0, sign(0, body)) and not pool.follow(F.genesis.keys)
    assert pool.follow(F.genesis.keys[:3]) and pool.votes == {}
    assert not pool.add(CLOSED, body, 0, sign(0, body)) and not pool.add(CLOSED, body, 3, sign(3, body))
