"""Features made from windows here are those that the wearable would have sent."""

from __future__ import annotations

import numpy as np
import pytest

from salus_chain.proto import release_pb2
from salus_edge import bases
from salus_edge.config import Settings
from salus_edge.errors import ProgramError
from salus_edge.recompute import LiteEngine, TflmEngine, quantise, recompute
from salus_edge.store import Database, features, windows
from tests.edge.people import make_windows
from tests.edge.world import live

WINDOWS = make_windows(np.arange(12) % 3, np.random.default_rng(2))


def test_the_golden_inputs_give_the_golden_outputs(settings: Settings) -> None:
    package = settings.package
    described = release_pb2.Manifest.FromString(package.manifest)
    shape = tuple(described.input.shape)
    engine = TflmEngine(package.base)
    for given, wanted in zip(described.golden_inputs, described.goldens[0].outputs, strict=True):
        window = np.frombuffer(given, np.int8).reshape(shape)
        assert engine.run(window).tobytes() == wanted


def test_both_engines_agree_within_a_bit(settings: Settings) -> None:
    tflm, lite = TflmEngine(settings.package.base), LiteEngine(settings.package.base)
    for window in quantise(WINDOWS, 0.02, 0):
        assert np.abs(tflm.run(window).astype(int) - lite.run(window)).max() <= 1


def test_quantising_rounds_half_to_even_and_saturates() -> None:
    values = np.array([[[0.5, 1.5]], [[-0.5, 1e9]]], np.float32)
    assert quantise(values, 1.0, 0).ravel().tolist() == [0, 2, 0, 127]


def test_windows_of_another_shape_are_refused(settings: Settings) -> None:
    with pytest.raises(ProgramError, match="shape"):
        recompute(settings.package.base, settings.package.manifest, np.zeros((1, 3, 2), np.float32))


def test_only_what_is_missing_is_made(settings: Settings, database: Database) -> None:
    live(settings, database, "anna")
    base = settings.package.base_sha256
    assert bases.fill(database, settings, "anna", base) == 0
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM features WHERE start_ms % 2 = 0")
    missing = windows.count(database, "anna") - len(features.read(database, "anna", base))
    assert bases.fill(database, settings, "anna", base) == missing
    assert bases.fill(database, settings, "anna", bytes(32)) == 0
    assert bases.fill(database, settings, "bert", base) == 0
