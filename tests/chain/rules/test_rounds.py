"""Rounds under each aggregation rule: what opens them, what they need when they close, and that they settle."""

from __future__ import annotations

import pytest

from salus_chain.aggregation.registry import RULES
from salus_chain.errors import Rejected
from salus_chain.rules.apply import check_tx
from salus_chain.rules.state import RoundStatus, State
from salus_chain.rules.transactions import Attest, read_transaction
from tests.chain.federation import MODEL_DIGEST, TASK, federation

F = federation()
ENROLLED = F.enrolled(5)
PARAMETERS = {"trimmed_mean": (("rule_beta_per_mille", 200),), "multi_krum": (("rule_byzantine", 1),)}


def attested(*scores: int) -> State:
    """Gateways 0, 1, … with these scores."""
    state = ENROLLED
    for number, score in enumerate(scores):
        body = Attest(f"gateway-{number}", score, bytes(32))
        state = F.apply(state, F.sign(F.hospital(number), state, body))
    return state


def committed(state: State, rule: str, gateways: int = 5, min_updates: int = 5) -> State:
    state = F.opened(state, rule=rule, parameters=PARAMETERS.get(rule, ()), min_updates=min_updates)
    for number in range(gateways):
        state = F.apply(state, F.commit(state, number))
    return state


def due(state: State) -> State:
    return F.apply(state, at_ms=state.rounds[TASK].open.deadline_ms)


@pytest.mark.parametrize("rule", RULES)
def test_a_round_settles_under_every_rule_and_moves_the_model(rule: str) -> None:
    closed = due(committed(attested(1_000, 1, 500, 500, 500), rule))
    assert closed.rounds[TASK].status is RoundStatus.CLOSED
    body = F.settle_body(closed)
    assert body.model_after != MODEL_DIGEST
    assert F.apply(closed, F.quorum(body)).tasks[TASK].model_digest == body.model_after


def test_the_rules_make_different_models_of_the_same_updates() -> None:
    closed = {rule: due(committed(attested(1_000, 1, 500, 500, 500), rule)) for rule in RULES}
    assert len({F.settle_body(state).model_after for state in closed.values()}) == len(RULES)


@pytest.mark.parametrize("scores", [(), (1, 1, 1, 1, 0), (1, 1, 1, 1)])
def test_a_round_by_trust_without_enough_scored_updates_expires_when_it_is_due(scores: tuple[int, ...]) -> None:
    after = due(committed(attested(*scores), "trust"))
    assert (after.rounds[TASK].status, after.rounds[TASK].reason) == (RoundStatus.EXPIRED, "too_few_for_rule")
    assert after.tasks[TASK].model_digest == MODEL_DIGEST
    assert F.opened(after).rounds[TASK].open.round == 2


def test_too_few_updates_are_called_that_under_every_rule() -> None:
    after = due(committed(ENROLLED, "trust", gateways=4))
    assert after.rounds[TASK].reason == "too_few_updates"


@pytest.mark.parametrize(("weight", "status"), [(1 << 31, RoundStatus.EXPIRED), ((1 << 31) - 1, RoundStatus.CLOSED)])
def test_weights_that_no_sum_could_hold_expire_the_round(weight: int, status: RoundStatus) -> None:
    """Two gateways of half of 2^32 patients each; one patient less fits."""
    f = federation(max_weight=1 << 31, min_updates=1, test=True)
    state = f.opened(f.enrolled(2, patients=1 << 31), w_max=1 << 31, min_updates=2)
    for number, each in enumerate((1 << 31, weight)):
        state = f.apply(state, f.commit(state, number, weight=each))
    after = f.apply(state, at_ms=state.rounds[TASK].open.deadline_ms).rounds[TASK]
    assert (after.status, after.reason) == (status, "too_much_weight" if status is RoundStatus.EXPIRED else "")


def test_a_score_counts_as_it_was_when_the_gateway_committed() -> None:
    state = committed(ENROLLED, "trust", gateways=3, min_updates=3)
    for number in range(3):
        state = F.apply(state, F.sign(F.hospital(number), state, Attest(f"gateway-{number}", 900, bytes(32))))
    assert due(state).rounds[TASK].reason == "too_few_for_rule"


@pytest.mark.parametrize(
    ("rule", "parameters", "min_updates"),
    [
        ("mean", (("rule_byzantine", 1),), 5),
        ("trimmed_mean", (), 5),
        ("trimmed_mean", (("rule_beta_per_mille", 500),), 5),
        ("multi_krum", (), 5),
        ("multi_krum", (("rule_byzantine", 1),), 4),
        ("multi_krum", (("rule_byzantine", 1), ("rule_selected", 2)), 5),
    ],
)
def test_a_round_whose_rule_could_not_work_is_not_opened(
    rule: str, parameters: tuple[tuple[str, int], ...], min_updates: int
) -> None:
    body = F.open_body(ENROLLED, rule=rule, parameters=parameters, min_updates=min_updates)
    with pytest.raises(Rejected, match="wrong_rule_parameters"):
        check_tx(ENROLLED, read_transaction(F.sign(F.coordinator, ENROLLED, body)), ENROLLED.time_ms + 1)
