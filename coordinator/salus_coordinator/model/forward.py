"""The model in numpy: ranges for quantising, and accuracies, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from salus_coordinator.model.layers import CLIP, Row

Floats = NDArray[np.float32]


def base_activations(table: Sequence[Row], weights: Mapping[str, Floats], windows: Floats) -> list[Floats]:
    """The output of every base row for windows (n, samples, channels); the last is the feature."""
    outputs: list[Floats] = []
    x = windows
    for row in (row for row in table if row.group == "base"):
        x = _conv(row, weights, x) if row.kernel else _pool(row, x)
        outputs.append(x)
    return outputs


def features(table: Sequence[Row], weights: Mapping[str, Floats], windows: Floats) -> Floats:
    """Features (n, F) before quantisation."""
    return base_activations(table, weights, windows)[-1].reshape(len(windows), -1)


def logits(table: Sequence[Row], weights: Mapping[str, Floats], feature: Floats) -> Floats:
    """Trunk and head: features (n, F) to logits (n, K)."""
    x = feature
    for row in (row for row in table if row.group != "base"):
        x = x @ weights[f"{row.name}/kernel"] + weights[f"{row.name}/bias"]
        x = np.maximum(x, 0.0) if row.layer.relu else x
    return x


def _conv(row: Row, weights: Mapping[str, Floats], x: Floats) -> Floats:
    taps, channels, filters = row.kernel
    views = np.lib.stride_tricks.sliding_window_view(x, taps, axis=1)[:, :: row.layer.stride]
    patches = np.moveaxis(views, -1, 2).reshape(-1, taps * channels)
    y = patches @ weights[f"{row.name}/kernel"].reshape(-1, filters) + weights[f"{row.name}/bias"]
    return np.asarray(np.clip(y, 0.0, CLIP), np.float32).reshape(len(x), row.length_out, filters)


def _pool(row: Row, x: Floats) -> Floats:
    width = row.length_in // row.length_out
    bins = x[:, : width * row.length_out].reshape(len(x), row.length_out, width, row.channels_in)
    return np.asarray(bins.mean(axis=2), np.float32)
