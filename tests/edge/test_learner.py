"""A round's update is made once, from training labels alone, and holds nothing personal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from salus_chain.fixed import SCALE
from salus_chain.updates import decode_update, update_digest
from salus_edge.config import ArmConfig, Settings
from salus_edge.errors import Refused
from salus_edge.learner import Learner
from salus_edge.link.messages import Label
from salus_edge.rows import feature_rows, reference_rows
from salus_edge.store import Database, labels, models, rounds
from salus_edge.training.schedules import Parameters
from tests.edge.world import START_MS, WINDOW_MS, first_model, live, round_view


@pytest.fixture
def learner(settings: Settings, database: Database) -> Learner:
    live(settings, database, "anna", ("setup", "reference"), twist=0.5)
    live(settings, database, "bert", ("setup",), twist=-0.5)
    return Learner(settings, database)


def train(learner: Learner, **changes: object) -> bytes:
    view = round_view(learner.settings, **changes)  # type: ignore[arg-type]
    return learner.train_round(learner.settings.arms[0], view, first_model(learner.settings))


def refit_all(learner: Learner) -> list[bool]:
    """Which patients' own variables are valid, fitted anew for the main arm."""
    settings = learner.settings
    base = settings.package.base_sha256
    return [learner.refit_patient(settings.arms[0], each.patient, base) for each in settings.patients]


def test_an_update_counts_its_patients_and_stays_within_the_bound(learner: Learner) -> None:
    header, values = decode_update(train(learner))
    assert (header.weight, header.gateway, header.task, header.round) == (2, "gateway-0", "wave", 1)
    assert values.any()
    assert np.linalg.norm(values.astype(np.float64)) <= 2 * SCALE


def test_an_update_is_made_once(learner: Learner, settings: Settings, database: Database) -> None:
    first = train(learner)
    live(settings, database, "anna", ("setup", "diary"))
    again = Learner(settings, database)  # as after a restart, with more data
    assert train(again) == first
    record = rounds.record(database, "wave", 1)
    assert record is not None
    assert record.file == first
    other = rounds.put_update(database, record.key, b"other", update_digest(b"other"), 1, 0.0)
    assert other == first


@pytest.mark.parametrize("algorithm", ["fedper", "fedrep"])
def test_personal_heads_stay_here(algorithm: str, learner: Learner, settings: Settings, database: Database) -> None:
    train(learner, algorithm=algorithm)
    layout, base = settings.package.layout, settings.package.base_sha256
    anna = models.personal(database, "anna", "wave", base, "round")
    bert = models.personal(database, "bert", "wave", base, "round")
    assert anna is not None
    assert bert is not None
    assert anna.groups == "head"
    assert anna.values.shape == (len(layout.indices(layout.names(["head"]))),)
    assert not np.array_equal(anna.values, bert.values)


def test_fedavg_keeps_nothing_personal(learner: Learner, settings: Settings, database: Database) -> None:
    train(learner, algorithm="fedavg", groups=("trunk", "head"))
    assert models.personal(database, "anna", "wave", settings.package.base_sha256, "round") is None
    assert not any(refit_all(learner))


def test_a_calibration_round_moves_the_base(learner: Learner, settings: Settings) -> None:
    header, values = decode_update(
        train(learner, kind="calibration", algorithm="fedavg", groups=("base", "trunk", "head"))
    )
    assert header.d == settings.package.layout.size
    layout = settings.package.layout
    assert values[layout.indices(layout.names(["base"]))].any()


@pytest.mark.parametrize("kind", ["feature", "calibration"])
def test_reference_labels_change_no_bit_of_an_update(
    kind: str, learner: Learner, settings: Settings, database: Database
) -> None:
    """The same training with the reference labels turned upside down."""
    groups = ("trunk", "head") if kind == "feature" else ("base", "trunk", "head")
    first = train(learner, kind=kind, algorithm="fedavg", groups=groups)
    with database.transaction() as cursor:
        cursor.execute("UPDATE labels SET label = 'rest' WHERE source = 'reference'")
        cursor.execute("DELETE FROM rounds")
    assert train(learner, kind=kind, algorithm="fedavg", groups=groups) == first
    assert len(reference_rows(database, settings, "anna", settings.package.base_sha256)) > 0


def test_a_window_with_a_reference_label_trains_nothing_even_when_others_label_it(
    learner: Learner, settings: Settings, database: Database
) -> None:
    arm, base = settings.arms[0], settings.package.base_sha256
    before = len(feature_rows(database, settings, arm, "bert", base))
    with database.transaction() as cursor:
        covering = Label("r", START_MS, START_MS + 3 * WINDOW_MS, "rest", "reference", "wave")
        labels.add(cursor, "wearable-bert", "bert", covering)
    assert len(feature_rows(database, settings, arm, "bert", base)) == before - 3
    bad = ArmConfig(task="wave", labels=("reference",))
    with pytest.raises(Refused, match="reference_never_trains"):
        feature_rows(database, settings, bad, "bert", base)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"groups": ("base",)}, "wrong_variables"),
        ({"algorithm": "fedmagic"}, "unknown_algorithm"),
        ({"parameters": Parameters(lr_shared=1e4, lr_personal=1e4, weight_decay=1e4, clip=2.0)}, "not_finite"),
    ],
)
def test_a_round_that_cannot_be_is_refused(changes: dict[str, object], code: str, learner: Learner) -> None:
    with pytest.raises(Refused) as refused:
        train(learner, **changes)
    assert refused.value.code == code


def test_a_round_of_another_layout_is_refused(learner: Learner) -> None:
    view = replace(round_view(learner.settings), layout_digest=bytes(32))
    with pytest.raises(Refused, match="wrong_layout"):
        learner.train_round(learner.settings.arms[0], view, first_model(learner.settings))


def test_without_labels_there_is_no_update(settings: Settings, database: Database) -> None:
    learner = Learner(settings, database)
    assert learner.ready(settings.arms[0], "feature", settings.package.base_sha256) == 0
    with pytest.raises(Refused, match="no_patients"):
        train(learner)


def test_a_refit_gives_valid_heads_to_twisted_people(learner: Learner, settings: Settings) -> None:
    train(learner)
    assert any(refit_all(learner))
