"""The training program does what it says with any number of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from salus_chain.layout import Layout, Variable
from salus_edge.config import Settings
from salus_edge.errors import ProgramError
from salus_edge.training.program import Floats, Rates, TrainingProgram
from tests.edge.people import make_windows

RATES = Rates(0.05, 0.05, 0.5)


@pytest.fixture
def program(settings: Settings) -> TrainingProgram:
    package = settings.package
    made = TrainingProgram(package.program, package.layout, package.task.batch)
    made.load(package.model)
    return made


def rows(count: int) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    labels = np.arange(count, dtype=np.int64) % 3
    return make_windows(labels, np.random.default_rng(3)), labels


def test_what_is_loaded_is_dumped(program: TrainingProgram, settings: Settings) -> None:
    assert np.array_equal(program.dump(), settings.package.model)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 24])
def test_predictions_do_not_depend_on_batching(program: TrainingProgram, count: int) -> None:
    windows, _ = rows(24)
    assert program.predict(windows[:count]).shape == (count, 3)
    assert np.allclose(program.predict(windows[:count]), program.predict(windows)[:count], atol=1e-6)


def test_predicting_in_two_steps_is_predicting_in_one(program: TrainingProgram) -> None:
    windows, _ = rows(10)
    assert np.allclose(program.predict_features(program.features(windows)), program.predict(windows), atol=1e-5)


def test_rows_of_weight_0_and_padding_change_nothing(program: TrainingProgram, settings: Settings) -> None:
    windows, labels = rows(5)
    program.train(windows, labels, np.zeros(5, np.float32), RATES)
    assert np.array_equal(program.dump(), settings.package.model)
    program.train(windows[:3], labels[:3], np.ones(3, np.float32), RATES)
    short = program.dump()
    program.load(settings.package.model)
    program.reset()
    program.train(windows, labels, np.array([1, 1, 1, 0, 0], np.float32), RATES)
    assert np.allclose(program.dump(), short, atol=1e-7)


def test_feature_training_leaves_the_base_and_rate_0_its_part(program: TrainingProgram, settings: Settings) -> None:
    windows, labels = rows(16)
    features, layout = program.features(windows), settings.package.layout
    program.train_features(features, labels, np.ones(16, np.float32), Rates(0.0, 0.05))
    moved = program.dump() != settings.package.model
    assert not moved[layout.indices(layout.names(["base", "trunk"]))].any()
    assert moved[layout.indices(layout.names(["head"]))].any()


def test_training_lowers_the_loss(program: TrainingProgram) -> None:
    windows, labels = rows(48)
    losses = [program.train(windows, labels, np.ones(48, np.float32), RATES) for _ in range(20)]
    assert losses[-1] < losses[0]


def test_mu_pulls_to_the_anchor(program: TrainingProgram, settings: Settings) -> None:
    windows, labels = rows(16)
    drift = []
    for mu in (0.0, 5.0):
        program.load(settings.package.model)
        program.load_anchor(settings.package.model)
        program.reset()
        for _ in range(10):
            program.train(windows, labels, np.ones(16, np.float32), Rates(0.05, 0.05, mu=mu))
        drift.append(float(np.linalg.norm(program.dump() - settings.package.model)))
    assert drift[1] < drift[0]


def test_wrong_sizes_are_named(program: TrainingProgram, settings: Settings, tmp_path: Path) -> None:
    package = settings.package
    with pytest.raises(ProgramError, match="cannot read"):
        TrainingProgram(tmp_path / "no_such.tflite", package.layout, 8)
    with pytest.raises(ProgramError, match="batches of 8"):
        TrainingProgram(package.program, package.layout, 16)
    with pytest.raises(ProgramError, match="the layout 3"):
        TrainingProgram(package.program, Layout((Variable("head/bias", (3,), "head"),)), 8)
    with pytest.raises(ProgramError, match="shape"):
        program.predict(np.zeros((2, 5, 2), np.float32))
    with pytest.raises(ProgramError, match="weights"):
        program.load(np.zeros(3, np.float32))
    with pytest.raises(ProgramError, match="labels"):
        program.train(np.zeros((2, 32, 2), np.float32), np.zeros(1, np.int64), np.ones(2, np.float32), RATES)


def test_a_model_that_is_no_program_misses_a_signature(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "base.tflite"
    path.write_bytes(settings.package.base)
    with pytest.raises(ProgramError, match="no signature 'train'"):
        TrainingProgram(path, settings.package.layout, 8)
    path.write_bytes(b"nothing")
    with pytest.raises(ProgramError, match=r"that .* reads"):
        TrainingProgram(path, settings.package.layout, 8)
