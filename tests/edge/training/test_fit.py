from __future__ import annotations

import numpy as np
import pytest

from salus_edge.config import Settings
from salus_edge.package import ModelPackage
from salus_edge.training.fit import Rows, accuracy, fit
from salus_edge.training.program import TrainingProgram
from salus_edge.training.schedules import Parameters, schedule
from tests.edge.people import make_windows

PARAMETERS = Parameters(shared_epochs=20, personal_epochs=20, lr_shared=0.05, lr_personal=0.1, momentum=0.9)


@pytest.fixture
def package(settings: Settings) -> ModelPackage:
    return settings.package


@pytest.fixture
def program(package: ModelPackage) -> TrainingProgram:
    made = TrainingProgram(package.program, package.layout, package.task.batch)
    made.load(package.model)
    return made


@pytest.fixture
def rows(program: TrainingProgram) -> Rows:
    rng = np.random.default_rng(3)
    windows = make_windows(np.repeat(np.arange(3), 12), rng)
    return Rows("feature", program.features(windows), np.repeat(np.arange(3), 12).astype(np.int64))


@pytest.mark.parametrize("algorithm", ["local", "fedavg", "fedper", "fedrep"])
def test_every_algorithm_learns_a_patients_rows(
    program: TrainingProgram, package: ModelPackage, rows: Rows, algorithm: str
) -> None:
    phases = schedule(algorithm).phases(PARAMETERS)
    fitted = fit(program, phases, package.model, package.model, rows, np.random.default_rng(0))
    assert accuracy(program, fitted.flat, rows) > 0.9


def test_the_same_seed_gives_the_same_bits(program: TrainingProgram, package: ModelPackage, rows: Rows) -> None:
    phases = schedule("fedrep").phases(PARAMETERS)
    first, second, other = (
        fit(program, phases, package.model, package.model, rows, np.random.default_rng(seed)).flat for seed in (5, 5, 6)
    )
    assert first.tobytes() == second.tobytes() != other.tobytes()


def test_a_fit_does_not_depend_on_what_was_trained_before(
    program: TrainingProgram, package: ModelPackage, rows: Rows
) -> None:
    phases = schedule("fedavg").phases(PARAMETERS)
    alone = fit(program, phases, package.model, package.model, rows, np.random.default_rng(5)).flat
    fit(program, phases, package.model + 1, package.model, rows, np.random.default_rng(9))
    again = fit(program, phases, package.model, package.model, rows, np.random.default_rng(5)).flat
    assert alone.tobytes() == again.tobytes()


def test_without_rows_nothing_changes(program: TrainingProgram, package: ModelPackage, rows: Rows) -> None:
    none = rows.take(np.empty(0, np.int64))
    phases = schedule("fedavg").phases(PARAMETERS)
    fitted = fit(program, phases, package.model, package.model, none, np.random.default_rng(0))
    assert fitted.flat.tobytes() == package.model.tobytes()
    assert accuracy(program, package.model, none) == 0.0
