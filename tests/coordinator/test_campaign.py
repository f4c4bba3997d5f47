"""The campaign's decisions, from the chain's views alone."""

from __future__ import annotations

from typing import Literal

import pytest

from salus_chain.rules.transactions import OpenRound
from salus_chain.views import ReleaseView, RoundView, TaskView
from salus_coordinator.campaign import (
    ApproveModel,
    Done,
    Fail,
    Lane,
    MakeRelease,
    Open,
    Seen,
    Wait,
    arms_may_start,
    decide,
)
from salus_coordinator.config import RoundPlan

Status = Literal["open", "closed", "settled", "expired"]
CALIBRATION = RoundPlan(kind="calibration", algorithm="fedavg")
FEATURE = RoundPlan(kind="feature", algorithm="fedrep")
MAIN = Lane("t", (CALIBRATION, FEATURE, FEATURE), releases=True, retries=2)
ARM = Lane("t-arm", (FEATURE,), releases=False, retries=2)


def view(number: int, status: Status) -> RoundView:
    opened = OpenRound("t", number, "feature", bytes(32), bytes(32), (), "fedavg", (), "mean", 1, 3, 1, 1, 2)
    after = bytes([number]) * 32 if status == "settled" else None
    return RoundView(
        "t", number, status, opened, bytes(32), 1, 1, None, None, bytes(32), after, None, {}, {}, (), "too_few_updates"
    )


def seen(statuses: list[Status], version: int = 0) -> Seen:
    release = ReleaseView(version, bytes(32), bytes(32), bytes(32)) if version else None
    task = TaskView("t", len(statuses), bytes(32), "", bytes(32), 1, release)
    return Seen(task, tuple(view(number + 1, status) for number, status in enumerate(statuses)))


@pytest.mark.parametrize(
    ("found", "action"),
    [
        (Seen(None), ApproveModel()),
        (seen([]), MakeRelease(1, 0)),
        (seen([], 1), Open(1, CALIBRATION)),
        (seen(["open"], 1), Wait(1)),
        (seen(["closed"], 1), Wait(1)),
        (seen(["expired"], 1), Open(2, CALIBRATION, expired=1)),
        (seen(["expired", "settled"], 1), MakeRelease(2, 2)),
        (seen(["settled"], 2), Open(2, FEATURE)),
        (seen(["settled", "settled"], 2), Open(3, FEATURE)),
        (seen(["settled", "expired", "expired"], 2), Open(4, FEATURE, expired=2)),
        (seen(["settled", "expired", "settled"], 2), Open(4, FEATURE)),
        (seen(["settled", "settled", "settled"], 2), Done()),
    ],
)
def test_what_the_chain_shows_decides(found: Seen, action: object) -> None:
    assert decide(MAIN, found) == action


def test_a_round_that_expires_too_often_ends_the_campaign_with_the_reason() -> None:
    action = decide(MAIN, seen(["settled", "expired", "expired", "expired"], 2))
    assert isinstance(action, Fail)
    assert action.code == "round_expired"
    assert "too_few_updates, 0 of 3" in action.reason


@pytest.mark.parametrize(
    ("expired", "open_ms", "settle_ms"),
    [(0, 4_000, 2_000), (1, 8_000, 4_000), (3, 32_000, 16_000), (4, 50_000, 32_000)],
)
def test_what_expired_is_given_twice_as_long_within_the_policy(expired: int, open_ms: int, settle_ms: int) -> None:
    action = Open(1, RoundPlan(kind="feature", algorithm="fedrep", open_s=4.0, settle_s=2.0), expired)
    assert (action.open_ms(most_ms=50_000), action.settle_ms(most_ms=50_000)) == (open_ms, settle_ms)


def test_a_plan_beyond_the_policy_stays_as_it_is_for_the_chain_to_refuse() -> None:
    assert Open(1, RoundPlan(kind="feature", algorithm="fedrep", open_s=60.0)).open_ms(most_ms=50_000) == 60_000


def test_an_arm_makes_no_releases() -> None:
    assert decide(ARM, seen([])) == Open(1, FEATURE)
    assert decide(ARM, seen(["settled"])) == Done()


def test_watching_repeats_the_last_round() -> None:
    lane = Lane("t", (CALIBRATION, FEATURE), True, 2, forever=True)
    assert decide(lane, seen(["settled"] * 5, 2)) == Open(6, FEATURE)


def test_watching_a_calibration_releases_after_each() -> None:
    lane = Lane("t", (CALIBRATION,), True, 2, forever=True)
    assert decide(lane, seen(["settled"] * 3, 3)) == MakeRelease(4, 3)


def test_arms_start_from_the_model_after_calibration_once_it_is_released() -> None:
    assert arms_may_start(MAIN, seen(["settled"], 1)) is None
    assert arms_may_start(MAIN, seen(["settled"], 2)) == bytes([1]) * 32
    assert arms_may_start(MAIN, seen(["expired", "settled", "settled"], 2)) == bytes([2]) * 32


def test_arms_of_a_campaign_without_calibration_start_from_the_first_model() -> None:
    lane = Lane("t", (FEATURE,), True, 2)
    assert arms_may_start(lane, seen([])) is None
    assert arms_may_start(lane, seen([], 1)) == bytes(32)
    assert arms_may_start(lane, seen(["settled"], 1)) == bytes(32)
