"""A patient's own head is used only once her labels show that it is better."""

from __future__ import annotations

import numpy as np
import pytest

from salus_edge.config import Settings
from salus_edge.personal import MIN_ROWS, compose, extract, hold_out, refit
from salus_edge.store.models import Personal
from salus_edge.training.fit import Rows, accuracy
from salus_edge.training.program import TrainingProgram
from salus_edge.training.schedules import SCHEDULES, Parameters
from tests.edge.people import make_windows

ROUND = Parameters(personal_epochs=20, lr_personal=0.1, momentum=0.5)


@pytest.fixture
def program(settings: Settings) -> TrainingProgram:
    package = settings.package
    return TrainingProgram(package.program, package.layout, package.task.batch)


def rows_of(program: TrainingProgram, settings: Settings, count: int, swapped: bool) -> Rows:
    labels = np.arange(count, dtype=np.int64) % 3
    program.load(settings.package.model)
    features = program.features(make_windows(labels, np.random.default_rng(5)))
    return Rows("feature", features, (labels + int(swapped)) % 3)


def fitted(program: TrainingProgram, settings: Settings, rows: Rows, algorithm: str = "fedrep") -> Personal | None:
    rng = np.random.default_rng(0)
    return refit(program, SCHEDULES[algorithm].personal, ROUND, settings.package.model, None, rows, 1, rng)


def test_who_differs_from_all_others_gets_a_valid_head(program: TrainingProgram, settings: Settings) -> None:
    rows = rows_of(program, settings, 60, swapped=True)
    own = fitted(program, settings, rows)
    assert own is not None
    assert own.valid
    shared = settings.package.model
    assert accuracy(program, compose(program.layout, shared, own), rows) > accuracy(program, shared, rows) + 0.5


def test_the_trunk_may_be_her_own_too(program: TrainingProgram, settings: Settings) -> None:
    rows, shared, layout = rows_of(program, settings, 60, swapped=True), settings.package.model, program.layout
    own = refit(program, ("trunk", "head"), ROUND, shared, None, rows, 1, np.random.default_rng(0))
    assert own is not None
    flat = compose(layout, shared, own)
    assert np.array_equal(extract(layout, flat, ("base",)), extract(layout, shared, ("base",)))
    assert not np.array_equal(extract(layout, flat, ("trunk",)), extract(layout, shared, ("trunk",)))


def test_few_labels_or_a_shared_head_give_none(program: TrainingProgram, settings: Settings) -> None:
    few = rows_of(program, settings, MIN_ROWS - 1, swapped=True)
    assert fitted(program, settings, few) is None
    assert fitted(program, settings, rows_of(program, settings, 60, swapped=True), "fedavg") is None


def test_labels_that_teach_nothing_give_no_valid_head(program: TrainingProgram, settings: Settings) -> None:
    good = rows_of(program, settings, 60, swapped=False)
    wrong = good.labels.copy()
    kept, _ = hold_out(good.labels)
    wrong[kept] = (good.labels[kept] + 1) % 3  # what is trained on contradicts what is validated on
    own = fitted(program, settings, Rows("feature", good.inputs, wrong))
    assert own is None or not own.valid


def test_only_the_personal_variables_differ(program: TrainingProgram, settings: Settings) -> None:
    layout, shared = program.layout, settings.package.model
    size = len(layout.indices(layout.names(["head"])))
    own = Personal("head", np.full(size, 9.0, np.float32), True, 1, 30)
    flat = compose(layout, shared, own)
    assert np.array_equal(extract(layout, flat, ("base", "trunk")), extract(layout, shared, ("base", "trunk")))
    assert (extract(layout, flat, ("head",)) == 9.0).all()
    assert compose(layout, shared, None) is shared


def test_the_last_fifth_of_each_class_validates() -> None:
    kept, held = hold_out(np.array([0] * 10 + [1] * 5))
    assert held.tolist() == [8, 9, 14]
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(15))
    assert [len(part) for part in hold_out(np.empty(0, np.int64))] == [0, 0]
