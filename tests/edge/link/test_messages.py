"""Features, windows and labels survive the way there and back; whatever does not fit is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_edge.errors import EdgeError, Refused
from salus_edge.link import FeatureBatch, Label, WindowBatch, decode_labels, encode_labels
from salus_edge.proto import link_pb2


def features(n: int = 3, width: int = 4, aux: int = 2, seed: int = 0) -> FeatureBatch:
    rng = np.random.default_rng(seed)
    return FeatureBatch(
        task="sway",
        model_version=7,
        base_sha256=bytes(32),
        start_ms=1_767_225_600_000 + 320 * np.arange(n, dtype=np.int64),
        duration_ms=640,
        values=rng.integers(-128, 128, (n, width)).astype(np.int8),
        aux=rng.integers(-(2**15), 2**15, (n, aux)).astype(np.int16),
    )


def windows(values: Any) -> WindowBatch:
    array = np.asarray(values, np.float32)
    return WindowBatch("sway", 1000 * np.arange(len(array), dtype=np.int64), 640, array, b"c" * 32)


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 5), st.integers(0, 100))
def test_features_come_back_exactly(n: int, width: int, aux: int, seed: int) -> None:
    batch = features(n, width, aux, seed)
    back = FeatureBatch.decode(batch.encode())
    assert (back.task, back.model_version, back.base_sha256, back.duration_ms) == ("sway", 7, bytes(32), 640)
    for name in ("start_ms", "values", "aux"):
        np.testing.assert_array_equal(getattr(back, name), getattr(batch, name))
        assert getattr(back, name).dtype == getattr(batch, name).dtype


@given(st.integers(0, 100), st.floats(1e-30, 1e30))
def test_windows_come_back_within_half_a_step(seed: int, size: float) -> None:
    values = np.random.default_rng(seed).normal(0, 1, (3, 8, 2)) * size
    batch = windows(values)
    back = WindowBatch.decode(batch.encode())
    step = np.abs(batch.windows).max() / 32767
    assert np.abs(back.windows - batch.windows).max() <= step * 0.501
    np.testing.assert_array_equal(back.start_ms, batch.start_ms)


def test_windows_of_nothing_but_zero_come_back() -> None:
    assert not WindowBatch.decode(windows(np.zeros((2, 4, 1))).encode()).windows.any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_windows_that_are_not_finite_are_not_sent(bad: float) -> None:
    with pytest.raises(EdgeError, match="finite"):
        windows(np.full((1, 4, 1), bad)).encode()


def test_start_times_that_fall_are_not_sent() -> None:
    batch = features()
    object.__setattr__(batch, "start_ms", batch.start_ms[::-1])
    with pytest.raises(EdgeError, match="rise"):
        batch.encode()


def test_wrong_features_are_refused() -> None:
    good = link_pb2.Features.FromString(features().encode())
    none, odd, digest, empty = (link_pb2.Features() for _ in range(4))
    for each in (none, odd, digest, empty):
        each.CopyFrom(good)
    del none.features[:]
    odd.features[1].values += b"x"
    digest.base_sha256 = b"short"
    for feature in empty.features:
        feature.values = b""
    half = link_pb2.Features.FromString(good.SerializeToString())
    for feature in half.features:
        feature.aux = b"xyz"
    for wrong in (none, odd, digest, empty, half):
        with pytest.raises(Refused, match="malformed"):
            FeatureBatch.decode(wrong.SerializeToString())


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_scale_that_is_none_is_refused(scale: float) -> None:
    message = link_pb2.Windows.FromString(windows(np.ones((1, 4, 1))).encode())
    message.scale = scale
    with pytest.raises(Refused, match="scale"):
        WindowBatch.decode(message.SerializeToString())


@pytest.mark.parametrize("change", [{"samples": 3}, {"channels": 0}, {"consent": b""}, {"window_start_ms": 2**63}])
def test_wrong_windows_are_refused(change: dict[str, Any]) -> None:
    message = link_pb2.Windows.FromString(windows(np.ones((2, 4, 1))).encode())
    for name, value in change.items():
        setattr(message, name, value)
    with pytest.raises(Refused, match="malformed"):
        WindowBatch.decode(message.SerializeToString())


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    for decode in (FeatureBatch.decode, WindowBatch.decode, decode_labels):
        try:
            decode(data)
        except Refused as error:
            assert error.code == "malformed"


def test_labels_come_back_and_wrong_ones_are_refused() -> None:
    label = Label("a", 5, 9, "sway", "setup", "exercise")
    assert decode_labels(encode_labels([label])) == (label,)
    wrong = [Label("", 5, 9, "x", "s", "t"), Label("a", 9, 9, "x", "s", "t"), Label("a", 5, 2**63, "x", "s", "t")]
    for each in wrong:
        with pytest.raises(Refused, match="malformed"):
            decode_labels(encode_labels([each]))
    with pytest.raises(Refused, match="malformed"):
        decode_labels(b"")
