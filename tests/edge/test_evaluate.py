"""Scores come from reference labels alone, which no model has seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_edge.config import Settings
from salus_edge.evaluate import evaluate, macro_f1
from salus_edge.learner import Learner
from salus_edge.store import Database, labels
from salus_edge.training.schedules import Parameters
from tests.edge.world import first_model, live, round_view


@pytest.fixture
def lived(settings: Settings, database: Database) -> Database:
    live(settings, database, "anna", ("setup", "diary", "reference"), twist=0.6)
    live(settings, database, "bert", ("setup", "diary"))
    learner = Learner(settings, database)
    chosen = Parameters(shared_epochs=3, personal_epochs=20, lr_shared=0.02, lr_personal=0.1, momentum=0.5)
    learner.train_round(settings.arms[0], round_view(settings, parameters=chosen), first_model(settings))
    learner.refit_patient(settings.arms[0], "anna", settings.package.base_sha256)
    return database


def test_every_arm_is_scored_for_who_has_reference_windows(settings: Settings, lived: Database) -> None:
    scores = evaluate(settings, lived)
    assert {each.patient for each in scores} == {"anna"}
    assert [(each.arm, each.algorithm, each.labels, each.train_windows) for each in scores] == [
        ("release", "release", (), 0),
        ("local", "local", ("setup",), 60),
        ("local", "local", ("setup", "diary"), 120),
        ("wave", "fedrep", ("setup",), 60),
        ("wave-60", "release", ("setup", "diary"), 120),
    ]
    assert {each.windows for each in scores} == {60}
    assert all(0.0 <= each.accuracy <= 1.0 and 0.0 <= each.macro_f1 <= 1.0 for each in scores)


def test_scoring_twice_gives_the_same_figures(settings: Settings, lived: Database) -> None:
    assert evaluate(settings, lived) == evaluate(settings, lived)


def test_wrong_reference_labels_change_scores_and_no_training(settings: Settings, lived: Database) -> None:
    """Every reference label becomes another class: what was right becomes wrong, so nothing learned from them."""
    before = evaluate(settings, lived)
    with lived.transaction() as cursor:
        cursor.execute(
            "UPDATE labels SET label = CASE label WHEN 'rest' THEN 'slow' WHEN 'slow' THEN 'fast' ELSE 'rest' END"
            " WHERE source = 'reference'"
        )
    after = evaluate(settings, lived)
    assert all(late.accuracy <= 1.0 - early.accuracy + 1e-9 for early, late in zip(before, after, strict=True))
    assert [each.train_windows for each in before] == [each.train_windows for each in after]


def test_without_reference_labels_there_is_no_score(settings: Settings, lived: Database) -> None:
    with lived.transaction() as cursor:
        cursor.execute("DELETE FROM labels WHERE source = 'reference'")
    assert labels.read(lived, "anna", "wave")
    assert evaluate(settings, lived) == ()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_macro_f1_equals_its_definition(pairs: list[tuple[int, int]]) -> None:
    truth, said = (np.array(each, np.int64) for each in zip(*pairs, strict=True))
    scores = []
    for label in sorted({pair[0] for pair in pairs}):
        hits = sum(pair == (label, label) for pair in pairs)
        precision = hits / max(1, sum(pair[1] == label for pair in pairs))
        recall = hits / sum(pair[0] == label for pair in pairs)
        scores.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    assert macro_f1(truth, said) == pytest.approx(sum(scores) / len(scores))
