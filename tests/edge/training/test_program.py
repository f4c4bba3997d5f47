from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from salus_chain.layout import Layout
from salus_edge.errors import ProgramError
from salus_edge.package import ModelPackage
from salus_edge.training.program import Rates, TrainingProgram
from tests.edge.house import CHANNELS, FEATURES, SAMPLES, motion

RATES = Rates(lr_shared=0.05, lr_personal=0.05)


def softmax_gradient_step(
    package: ModelPackage, features: np.ndarray[tuple[int, ...], np.dtype[np.float32]], labels: list[int]
) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """One SGD step of trunk and head in float64, written out by hand: the oracle of `train_features`."""
    w = {name: part.astype(np.float64) for name, part in package.layout.split(package.model).items()}
    f = features.astype(np.float64)
    hidden = f @ w["trunk0/kernel"] + w["trunk0/bias"]
    active = np.maximum(hidden, 0.0)
    logits = active @ w["head/kernel"] + w["head/bias"]
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = exponents / exponents.sum(axis=1, keepdims=True)
    error[np.arange(len(labels)), labels] -= 1.0
    error /= len(labels)
    back = (error @ w["head/kernel"].T) * (hidden > 0)
    gradients = {
        "trunk0/kernel": f.T @ back,
        "trunk0/bias": back.sum(axis=0),
        "head/kernel": active.T @ error,
        "head/bias": error.sum(axis=0),
    }
    return {name: w[name] - RATES.lr_shared * gradient for name, gradient in gradients.items()}


def test_a_step_on_features_equals_one_worked_out_by_hand(program: TrainingProgram, package: ModelPackage) -> None:
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 6, (5, FEATURES)).astype(np.float32)
    labels = [0, 1, 2, 1, 0]
    program.train_features(features, np.array(labels), np.ones(5, np.float32), RATES)
    after = package.layout.split(program.dump())
    for name, expected in softmax_gradient_step(package, features, labels).items():
        assert after[name] == pytest.approx(expected, abs=1e-5), name
    before = package.layout.split(package.model)
    assert after["base0/kernel"].tobytes() == before["base0/kernel"].tobytes()


def test_training_on_windows_learns_and_moves_the_base(program: TrainingProgram, package: ModelPackage) -> None:
    rng = np.random.default_rng(1)
    windows = np.concatenate([motion(label, 10, rng) for label in range(3)])
    labels, weights = np.repeat(np.arange(3), 10), np.ones(30, np.float32)
    order = rng.permutation(30)
    losses = [program.train(windows[order], labels[order], weights, RATES) for _ in range(30)]
    assert losses[-1] < 0.7 * losses[0]
    moved = package.layout.split(program.dump() - package.model)
    assert np.abs(moved["base0/kernel"]).max() > 0


def test_rows_of_weight_zero_change_nothing(program: TrainingProgram, package: ModelPackage) -> None:
    rows = np.ones((8, FEATURES), np.float32)
    program.train_features(rows, np.zeros(8, np.int64), np.zeros(8, np.float32), RATES)
    assert program.dump().tobytes() == package.model.tobytes()


@pytest.mark.parametrize("rows", [0, 1, 7, 8, 9, 20])
def test_any_number_of_rows_is_predicted_alike(program: TrainingProgram, rows: int) -> None:
    windows = motion(1, 20, np.random.default_rng(2))
    assert program.predict(windows[:rows]).shape == (rows, 3)
    assert program.predict(windows[:rows]) == pytest.approx(program.predict(windows)[:rows], abs=1e-6)
    features = program.features(windows[:rows])
    assert features.shape == (rows, FEATURES)
    assert program.predict_features(features) == pytest.approx(program.predict(windows[:rows]), abs=1e-5)


def test_rates_of_zero_hold_their_part_still(program: TrainingProgram, package: ModelPackage) -> None:
    rows, labels = np.ones((8, FEATURES), np.float32), np.zeros(8, np.int64)
    program.train_features(rows, labels, np.ones(8, np.float32), Rates(lr_shared=0.0, lr_personal=0.1))
    moved = package.layout.split(program.dump() - package.model)
    assert not np.abs(moved["trunk0/kernel"]).any()
    assert np.abs(moved["head/kernel"]).any()


def test_mu_pulls_toward_the_anchor(program: TrainingProgram, package: ModelPackage) -> None:
    program.load_anchor(package.model + 1)
    program.train_features(
        np.zeros((8, FEATURES), np.float32),
        np.zeros(8, np.int64),
        np.ones(8, np.float32),
        Rates(lr_shared=0.1, lr_personal=0.0, mu=1.0),
    )
    moved = package.layout.split(program.dump() - package.model)
    assert moved["trunk0/kernel"] == pytest.approx(0.1, abs=1e-5)


def test_momentum_is_forgotten_on_reset(program: TrainingProgram, package: ModelPackage) -> None:
    rows, labels, weights = np.ones((8, FEATURES), np.float32), np.zeros(8, np.int64), np.ones(8, np.float32)
    rates = Rates(0.1, 0.1, momentum=0.9)
    program.train_features(rows, labels, weights, rates)
    once = program.dump()
    program.reset()
    program.load(package.model)
    program.train_features(rows, labels, weights, rates)
    assert program.dump().tobytes() == once.tobytes()


def test_rows_of_another_shape_are_refused(program: TrainingProgram) -> None:
    with pytest.raises(ProgramError, match="takes rows of shape"):
        program.predict(np.zeros((2, SAMPLES, CHANNELS + 1), np.float32))
    with pytest.raises(ProgramError, match="as many labels"):
        program.train_features(
            np.zeros((2, FEATURES), np.float32), np.zeros(3, np.int64), np.ones(2, np.float32), RATES
        )
    with pytest.raises(ProgramError, match="weights"):
        program.load(np.zeros(3, np.float32))


def test_a_program_of_another_layout_or_batch_is_refused(package: ModelPackage) -> None:
    fewer = Layout(package.layout.variables[:-1])
    with pytest.raises(ProgramError, match="build the package again"):
        TrainingProgram(package.program, fewer, package.task.batch)
    with pytest.raises(ProgramError, match="batches of 8"):
        TrainingProgram(package.program, package.layout, 16)


def test_a_file_that_is_no_program_is_refused(package: ModelPackage, package_folder: Path) -> None:
    with pytest.raises(ProgramError, match="no signature 'train'"):
        TrainingProgram(package_folder / "base.tflite", package.layout, 8)
    with pytest.raises(ProgramError, match="not a \\.tflite"):
        TrainingProgram(package_folder / "task.toml", package.layout, 8)
    with pytest.raises(ProgramError, match="cannot read"):
        TrainingProgram(package_folder / "absent.tflite", replace(package).layout, 8)
