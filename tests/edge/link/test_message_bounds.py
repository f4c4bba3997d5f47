"""Windows: only under a consent, and never values that a float32 cannot hold."""

from __future__ import annotations

import numpy as np
import pytest

from salus_edge.errors import EdgeError, Refused
from salus_edge.link.messages import WindowBatch
from salus_edge.proto import link_pb2

CONSENT = b"c" * 32


def batch(value: float, consent: bytes = CONSENT) -> WindowBatch:
    return WindowBatch("t", np.array([5]), 1, np.full((1, 2, 2), value, np.float32), consent)


def test_no_window_leaves_without_a_consent() -> None:
    with pytest.raises(EdgeError, match="consent"):
        batch(1.0, consent=b"").encode()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, float(np.finfo(np.float32).max)])
def test_a_value_that_would_come_back_infinite_is_not_sent(value: float) -> None:
    with pytest.raises(EdgeError, match="finite"):
        batch(value).encode()


def test_the_largest_value_that_is_sent_comes_back_finite() -> None:
    assert np.isfinite(WindowBatch.decode(batch(float(np.float32(9.9e37))).encode()).windows).all()


def test_a_scale_that_makes_infinite_values_is_refused() -> None:
    values = np.array([32767, 1], "<i2").tobytes()
    message = link_pb2.Windows(
        task="t", window_start_ms=1, samples=2, channels=1, scale=3e38,
        windows=[link_pb2.Window(values=values)], consent=CONSENT,
    )  # fmt: skip
    with pytest.raises(Refused, match="malformed"):
        WindowBatch.decode(message.SerializeToString())
