"""Predictions are made once for each window, by whichever weights count, and none is lost with a killed process."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from salus_edge.config import Settings
from salus_edge.personal import extract
from salus_edge.predictor import HISTORICAL_MS, Predictor, weights
from salus_edge.rows import dequantise
from salus_edge.store import Database, features, models
from salus_edge.store.features import Features
from salus_edge.store.models import Personal
from tests.edge.world import START_MS, WINDOW_MS

NOW_MS = START_MS + 10 * WINDOW_MS


@pytest.fixture
def predictor(settings: Settings, database: Database) -> Predictor:
    return Predictor(settings, database)


def some(settings: Settings, database: Database, count: int = 6, origin: str = "device") -> Features:
    """Features of the packaged base, stored for anna."""
    starts = START_MS + WINDOW_MS * np.arange(count, dtype=np.int64)
    values = np.random.default_rng(1).integers(-128, 127, (count, 8)).astype(np.int8)
    found = Features(starts, starts + WINDOW_MS, values)
    with database.transaction() as cursor:
        features.add(cursor, "anna", settings.package.base_sha256, 1, found, [b""] * count, origin)
    return found


def stored(database: Database) -> list[tuple[int, int, int]]:
    return [tuple(row) for row in database.rows("SELECT start_ms, class, personal FROM predictions ORDER BY start_ms")]


def test_a_prediction_is_the_settled_models_argmax(
    predictor: Predictor, settings: Settings, database: Database
) -> None:
    found = some(settings, database)
    made = predictor.predict("anna", settings.package.base_sha256, found, NOW_MS)
    parts = {
        name: part.astype(np.float32) for name, part in settings.package.layout.split(settings.package.model).items()
    }
    rows = dequantise(found.values, settings.package.task)
    hidden = np.maximum(rows @ parts["trunk0/kernel"] + parts["trunk0/bias"], 0)
    expected = (hidden @ parts["head/kernel"] + parts["head/bias"]).argmax(axis=1)
    assert [each.label for each in made] == expected.tolist()
    assert [row[1] for row in stored(database)] == expected.tolist()
    assert not any(each.personal for each in made)


def test_what_was_stored_but_not_predicted_is_made_up_for_once(
    predictor: Predictor, settings: Settings, database: Database
) -> None:
    found = some(settings, database)
    first = Features(found.start_ms[:2], found.end_ms[:2], found.values[:2])
    predictor.predict("anna", settings.package.base_sha256, first, NOW_MS)
    assert Predictor(settings, database).catch_up(NOW_MS) == 4
    assert [row[0] for row in stored(database)] == found.start_ms.tolist()
    assert Predictor(settings, database).catch_up(NOW_MS) == 0


def test_what_was_recomputed_from_windows_is_not_predicted(
    predictor: Predictor, settings: Settings, database: Database
) -> None:
    some(settings, database, origin="window")
    assert predictor.catch_up(NOW_MS) == 0


def test_features_of_another_base_are_not_predicted(
    predictor: Predictor, settings: Settings, database: Database
) -> None:
    some(settings, database)
    with database.transaction() as cursor:
        cursor.execute("UPDATE features SET base = ?", (bytes(32),))
    assert predictor.catch_up(NOW_MS) == 0


def test_a_valid_head_of_her_own_predicts_after_forgetting_the_old_weights(
    predictor: Predictor, settings: Settings, database: Database
) -> None:
    base, layout = settings.package.base_sha256, settings.package.layout
    always_first = settings.package.model.copy()
    head = layout.indices(layout.names(["head"]))
    always_first[head] = 0.0
    always_first[head[-3]] = 9.0  # the bias of the first class
    own = Personal("head", extract(layout, always_first, ("head",)), False, 1, 40)
    found = some(settings, database, 2)
    later = Features(found.start_ms + 10**6, found.end_ms + 10**6, found.values)
    predictor.predict("anna", base, found, NOW_MS)
    models.put_personal(database, "anna", "wave", base, "predict", own)
    predictor.forget()
    assert not weights(database, settings, settings.arms[0], "anna", base)[1]
    models.put_personal(database, "anna", "wave", base, "predict", replace(own, valid=True))
    predictor.forget()
    made = predictor.predict("anna", base, later, NOW_MS)
    assert [(each.label, each.personal) for each in made] == [(0, True), (0, True)]


def test_a_window_that_comes_late_is_marked_so(predictor: Predictor, settings: Settings, database: Database) -> None:
    found = some(settings, database, 1)
    end_ms = int(found.end_ms[0])
    (now,) = predictor.predict("anna", settings.package.base_sha256, found, end_ms + HISTORICAL_MS)
    (late,) = predictor.predict("anna", settings.package.base_sha256, found, end_ms + HISTORICAL_MS + 1)
    assert (now.historical, late.historical) == (False, True)


def test_no_features_need_no_model(predictor: Predictor, settings: Settings) -> None:
    none = Features(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 0), np.int8))
    assert predictor.predict("anna", settings.package.base_sha256, none, NOW_MS) == ()
