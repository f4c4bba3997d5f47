"""Pre-training of base, trunk and head on the people who are no patients, by the training program itself.

The program that gateways run is also the fastest trainer here (about 1,100 steps/s of 32 windows on one core,
where Keras `fit` makes 160), and so the same code is proven before it leaves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from salus_coordinator.data.windows import Labelled
from salus_coordinator.model.augment import Augmentation, augment
from salus_coordinator.model.layers import initial
from salus_coordinator.model.opened import opened
from salus_edge.task import Task
from salus_edge.training.program import Rates

Floats = NDArray[np.float32]
Progress = Callable[[int, int, float], None]  # (step, steps, loss)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to pre-train; chosen by leave-one-person-out among the people that pre-train (see
    docs/decisions.md).
    """

    steps: int = 4000
    warm_up: int = 100
    rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 5e-4
    hop: int = 32
    margin: int = 16
    augmentation: Augmentation = field(default_factory=Augmentation)


QUICK = Recipe(steps=600)  # for tests: the road, not the figures


def pretrain(
    task: Task,
    program: bytes,
    data: Labelled,
    recipe: Recipe,
    seed: int,
    progress: Progress = lambda *_: None,
) -> Floats:
    """Weights (D,) after `recipe.steps` SGD steps with a cosine rate.

    `data` windows are `margin` samples longer.
    """
    rng = np.random.default_rng(seed)
    runner = opened(task, program)
    runner.load(initial(task, rng))
    runner.reset()
    weight, labels = balance(data.labels), data.labels
    step, loss = 0, 0.0
    while step < recipe.steps:
        order = _filled(rng.permutation(len(labels)), task.batch)
        x = augment(task, data.windows[order], recipe.augmentation, rng)
        for at in range(0, len(order), task.batch):
            batch = slice(at, at + task.batch)
            rate = rate_at(step, recipe)
            rates = Rates(rate, rate, recipe.momentum, recipe.weight_decay)
            loss = runner.train(x[batch], labels[order[batch]], weight[order[batch]], rates)
            step += 1
            if step >= recipe.steps:
                break
        progress(step, recipe.steps, loss)
    return runner.dump()


def rate_at(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then a half cosine to 0."""
    warm = min(1.0, (step + 1) / recipe.warm_up)
    return recipe.rate * warm * 0.5 * (1.0 + math.cos(math.pi * step / recipe.steps))


def balance(labels: NDArray[np.int64]) -> Floats:
    """Weights (n,) with mean 1 that give every class the same sum."""
    counts = np.bincount(labels)
    weight = 1.0 / counts[labels]
    return np.asarray(weight / weight.mean(), np.float32)


def _filled(order: NDArray[np.int64], batch: int) -> NDArray[np.int64]:
    """A whole number of batches, at least one: cut short, or repeated from its start when there is less than
    one.
    """
    whole = max(len(order) // batch, 1) * batch
    return np.resize(order, whole)
