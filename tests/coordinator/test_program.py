"""The training program against Keras, and its rules: one conversion for all tests here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from salus_coordinator.errors import ModelError
from salus_coordinator.model import forward
from salus_coordinator.model.layers import initial, layout, rows
from salus_coordinator.model.opened import check_program, opened
from salus_edge.task import Task
from salus_edge.training.program import Rates, TrainingProgram
from tests.coordinator.tasks import reference, small_task

Floats = NDArray[np.float32]
PLAIN = Rates(lr_shared=0.05, lr_personal=0.05, momentum=0.9)


@dataclass
class Made:
    task: Task
    program: bytes
    flat: Floats
    x: Floats
    y: NDArray[np.int32]

    def runner(self) -> TrainingProgram:
        runner = opened(self.task, self.program)
        runner.load(self.flat)
        return runner

    def part(self, flat: Floats, *groups: Any) -> Floats:
        return flat[layout(self.task).indices(layout(self.task).names(groups))]


@pytest.fixture(scope="module")
def made() -> Made:
    from salus_coordinator.model.program import convert

    task = small_task()
    drawn = reference(task, task.batch)
    flat = initial(task, np.random.default_rng(1))
    return Made(task, convert(task), flat, drawn.windows, drawn.labels.astype(np.int32))


ONES = np.ones(8, np.float32)


def test_logits_agree_with_keras(made: Made) -> None:
    from salus_coordinator.model.keras_model import set_weights, whole_model

    model = whole_model(made.task)
    set_weights(model, made.task, made.flat)
    assert np.allclose(made.runner().predict(made.x), model(made.x).numpy(), atol=1e-5)


def test_two_momentum_steps_agree_with_keras(made: Made) -> None:
    from salus_coordinator.model.keras_model import compile_sgd, get_weights, set_weights, whole_model

    model, runner = whole_model(made.task), made.runner()
    set_weights(model, made.task, made.flat)
    compile_sgd(model, 0.05, 0.9)
    for _ in range(2):
        model.train_on_batch(made.x, made.y)
        runner.train(made.x, made.y, ONES, PLAIN)
    assert np.allclose(runner.dump(), get_weights(model, made.task), atol=1e-5)


def test_program_agrees_with_the_numpy_model(made: Made) -> None:
    table = rows(made.task)
    weights = {name: np.asarray(value, np.float32) for name, value in layout(made.task).split(made.flat).items()}
    feature = forward.features(table, weights, made.x)
    assert np.allclose(made.runner().features(made.x), feature, atol=1e-5)
    assert np.allclose(made.runner().predict_features(feature), forward.logits(table, weights, feature), atol=1e-5)


def test_load_and_dump_are_inverse(made: Made) -> None:
    assert np.array_equal(made.runner().dump(), made.flat)


def test_a_batch_of_weight_zero_changes_nothing_even_with_momentum_and_decay(made: Made) -> None:
    rates = replace(PLAIN, weight_decay=0.1, mu=0.1)
    first, second = made.runner(), made.runner()
    for runner in (first, second):
        runner.train(made.x, made.y, ONES, rates)
    moved = first.dump()
    loss = first.train(made.x, made.y, 0 * ONES, rates)
    assert loss == 0.0
    assert np.array_equal(first.dump(), moved)
    first.train(made.x, made.y, ONES, rates)
    second.train(made.x, made.y, ONES, rates)
    assert np.array_equal(first.dump(), second.dump())


def test_padding_of_weight_zero_does_not_count(made: Made) -> None:
    half, weight = made.runner(), np.concatenate([np.ones(4), np.zeros(4)]).astype(np.float32)
    other, x = made.runner(), made.x.copy()
    x[4:] = 7.0
    half.train(made.x, made.y, weight, PLAIN)
    other.train(x, made.y, weight, PLAIN)
    assert np.allclose(half.dump(), other.dump(), atol=1e-6)


def test_train_features_leaves_the_base(made: Made) -> None:
    runner = made.runner()
    feature = runner.features(made.x)
    runner.train_features(feature, made.y, ONES, replace(PLAIN, weight_decay=0.1))
    assert np.array_equal(made.part(runner.dump(), "base"), made.part(made.flat, "base"))
    assert not np.array_equal(made.part(runner.dump(), "trunk"), made.part(made.flat, "trunk"))


def test_each_rate_moves_only_its_own_layers(made: Made) -> None:
    runner = made.runner()
    runner.train(made.x, made.y, ONES, replace(PLAIN, lr_shared=0.0))
    assert np.array_equal(made.part(runner.dump(), "base", "trunk"), made.part(made.flat, "base", "trunk"))
    runner = made.runner()
    runner.train(made.x, made.y, ONES, replace(PLAIN, lr_personal=0.0))
    assert np.array_equal(made.part(runner.dump(), "head"), made.part(made.flat, "head"))


def test_mu_pulls_toward_the_anchor(made: Made) -> None:
    runner = made.runner()
    runner.load_anchor(np.zeros_like(made.flat))
    free, pulled = made.runner(), runner
    free.train(made.x, made.y, ONES, PLAIN)
    pulled.train(made.x, made.y, ONES, replace(PLAIN, mu=0.5))
    assert np.allclose(pulled.dump(), free.dump() - 0.05 * 0.5 * made.flat, atol=1e-6)


def test_only_builtin_operators(made: Made) -> None:
    assert b"Flex" not in made.program


def test_a_program_that_computes_something_else_is_refused(made: Made) -> None:
    check_program(made.task, made.program, made.flat, made.x)
    linear = without_relu(made.task)
    with pytest.raises(ModelError, match="program_differs"):
        check_program(linear, made.program, made.flat, made.x)


def without_relu(task: Task) -> Task:
    """The same sizes, another meaning: the trunk no longer clips at 0."""
    return msgspec.structs.replace(task, trunk=[msgspec.structs.replace(task.trunk[0], relu=False)])
