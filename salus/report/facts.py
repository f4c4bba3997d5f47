"""What a run's report says: plain facts, gathered once, drawn on the screen, as a page and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

PARTS: Final = ("20 %", "60 %")


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How one way of learning did on one patient's later, unseen windows."""

    patient: str
    arm: str  # release | local | fedavg | personal
    labels: str  # which part of each set was labelled: "20 %", "60 %"; "calibrated" for the release
    algorithm: str
    accuracy: float  # 0 to 1
    macro_f1: float
    windows: int
    train_windows: int


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes one wearable sent, sealed, by topic; and what windows instead of features would have taken."""

    patient: str
    device: str
    sent_bytes: dict[str, int]
    features: int
    windows: int
    feature_bytes: int
    raw_window_bytes: int
    arena_bytes: int
    model_versions: list[int]


class RoundFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One round as the chain holds it."""

    task: str
    round: int
    kind: str
    algorithm: str
    status: str
    opened_height: int
    closed_height: int
    settled_height: int
    updates: int
    parameters: int
    proof: str


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """A stage of the run, in seconds from its start."""

    name: str
    start_s: float
    end_s: float


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The device model as measured in the genuine TFLM interpreter."""

    flash_bytes: int
    arena_bytes: int
    macs: int
    parameters: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the report says."""

    data: str
    data_title: str
    pretrained_on: list[str]
    patients: list[str]
    broker: str
    wearables: str  # `native`: the firmware as host programs; `tflm`: Python
    chain_id: str
    classes: list[str]
    scores: list[Score]
    traffic: list[Traffic]
    model: ModelFacts
    rounds: list[RoundFacts]
    stages: list[Stage]
    total_s: float
    verify_command: str
    verify_output: str
    verified: bool


ARMS: Final = {
    "release": "as the calibration round settled it (raw windows, labels of the first 20 %), nothing personal",
    "local": "the release, then only the patient's own labels, no feature rounds",
    "fedavg": "feature rounds that share trunk and head: one model for all",
    "personal": "feature rounds that share the trunk (FedRep), with the patient's own head",
}


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; not a number for nothing."""
    return sum(values) / len(values) if values else float("nan")


def scores_of(facts: Facts, arm: str, labels: str) -> dict[str, float]:
    """Patient to accuracy of one arm and label part."""
    return {score.patient: score.accuracy for score in facts.scores if (score.arm, score.labels) == (arm, labels)}


def columns(facts: Facts) -> list[tuple[str, str]]:
    """The (arm, labels) pairs that have scores: the release first, then by label part."""
    have = {(score.arm, score.labels) for score in facts.scores}
    order = [("release", "calibrated"), *((arm, part) for part in PARTS for arm in ("local", "fedavg", "personal"))]
    return [pair for pair in order if pair in have]
