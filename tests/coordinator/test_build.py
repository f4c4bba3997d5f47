"""Building a package end to end on made-up people, little trained: split, pre-training, cache."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from salus_coordinator.data.npz import save
from salus_coordinator.data.sources import imported
from salus_coordinator.data.split import Range
from salus_coordinator.data.windows import Labelled
from salus_coordinator.errors import DataError
from salus_coordinator.model import build as building
from salus_coordinator.model.augment import Augmentation, augment, triads
from salus_coordinator.model.build import Request, build, reference_of, training_pairs
from salus_coordinator.model.layers import initial
from salus_coordinator.model.package import read
from salus_coordinator.model.pretrain import Recipe, balance, pretrain, rate_at
from tests.coordinator.tasks import data_set, small_task

pytest.importorskip("tflite_micro", reason="tflite-micro has a wheel for x86-64 Linux only")
TASK = small_task()
RECIPE = Recipe(steps=40, hop=16, margin=4)


@pytest.fixture(scope="module")
def program() -> bytes:
    from salus_coordinator.model.program import convert

    return convert(TASK)


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: bytes) -> Request:
    monkeypatch.setenv("SALUS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(building, "_converter", lambda: lambda task: program)
    monkeypatch.setattr("salus_coordinator.model.quantise.LOSS_POINTS", 100.0)  # noise has no gate to pass
    save(data_set(5, length=600), imported(tmp_path / "data", "made"))
    return Request(TASK, "made", recipe=RECIPE, root=tmp_path / "data")


def test_a_build_is_cached_and_the_cached_package_is_the_same(request_: Request, tmp_path: Path) -> None:
    assert build(request_, tmp_path / "first") is False
    assert build(request_, tmp_path / "second") is True
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / name).iterdir()} for name in ("first", "second")
    )
    assert first == second
    assert read(tmp_path / "first").task == TASK


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(request_, tmp_path / "first")
    monkeypatch.setenv("SALUS_CACHE", str(tmp_path / "empty"))
    build(request_, tmp_path / "again")
    build(with_seed(request_, 1), tmp_path / "other")
    models = [(tmp_path / name / "model.i32").read_bytes() for name in ("first", "again", "other")]
    assert models[0] == models[1] != models[2]


def with_seed(request: Request, seed: int) -> Request:
    return Request(request.task, request.data, seed, request.pretrain, request.recipe, request.root)


def test_absent_data_write_nothing(request_: Request, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent"):
        build(Request(TASK, "hapt", root=tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_reference_set_is_later_time_that_nobody_trained_on() -> None:
    dataset = data_set(4)
    earlier, later = training_pairs(dataset, dataset.subjects[:2], 41)
    assert {recording.subject for recording, _ in earlier} == set(dataset.subjects[:2])
    for (_, before), (_, after) in zip(earlier, later, strict=True):
        assert (before, after) == (Range(0, 320), Range(361, 400))


def test_the_reference_set_is_even_over_the_classes() -> None:
    labels = np.array([0] * 50 + [1] * 10 + [2] * 30)
    data = Labelled(np.zeros((90, 4, 2), np.float32), labels, np.array(["p"] * 90))
    assert np.bincount(reference_of(data, 45).labels).tolist() == [15, 10, 15]


def test_pretraining_learns_what_can_be_learnt(program: bytes) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(120) % 3
    windows = rng.normal(size=(120, 45, 8)).astype(np.float32) * 0.3
    windows[np.arange(120), :, 6] += labels[:, None]
    losses: list[float] = []
    pretrain(
        TASK, program, Labelled(windows, labels, labels.astype(str)), Recipe(steps=300, margin=4), 0,
        lambda step, steps, loss: losses.append(loss),
    )  # fmt: skip
    assert losses[-1] < 0.3 * losses[0]


def test_fewer_windows_than_a_batch_still_train(program: bytes) -> None:
    data = Labelled(np.ones((3, 45, 8), np.float32), np.array([0, 1, 2]), np.array(["p"] * 3))
    flat = pretrain(TASK, program, data, Recipe(steps=2, margin=4), 0)
    assert flat.shape == initial(TASK, np.random.default_rng(0)).shape


def test_rates_warm_up_and_end_at_zero() -> None:
    recipe = Recipe(steps=1000, warm_up=100, rate=0.1)
    assert rate_at(0, recipe) == pytest.approx(0.001)
    rates = [rate_at(step, recipe) for step in range(1000)]
    assert 95 <= int(np.argmax(rates)) <= 105
    assert max(rates) < recipe.rate
    assert rate_at(999, recipe) < 1e-5


def test_balance_gives_every_class_the_same_sum() -> None:
    labels = np.array([0, 0, 0, 1])
    weight = balance(labels)
    assert weight[labels == 0].sum() == pytest.approx(weight[labels == 1].sum())
    assert weight.mean() == pytest.approx(1.0)


def test_turning_keeps_magnitudes_and_no_augmentation_keeps_the_window() -> None:
    rng = np.random.default_rng(1)
    wide = rng.normal(size=(6, 41, 8)).astype(np.float32)
    assert np.allclose(augment(TASK, wide, Augmentation(0.0, 0.0, 0.0), rng), wide, atol=1e-5)
    turned = augment(TASK, wide, Augmentation(30.0, 0.0, 0.0), rng)
    for triad in triads(TASK):
        assert np.allclose(
            np.linalg.norm(turned[:, :, triad], axis=2), np.linalg.norm(wide[:, :, triad], axis=2), atol=1e-4
        )
    assert np.allclose(turned[:, :, 6:], wide[:, :, 6:], atol=1e-5)


def test_a_task_without_magnitude_is_not_turned() -> None:
    plain = msgspec.structs.replace(TASK, frontend=[])
    assert triads(plain) == []
