"""`cancel`: in each window, some channels minus their ridge regression on others and their lags: motion goes.

Single precision but for the small system of equations: a microcontroller has hardware for that, and both sides round
alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_edge.errors import TaskError
from salus_edge.frontend.chunk import Inlet, Reshape, Samples, indices, known, number, numbers
from salus_edge.task import Parameter

Floats = NDArray[np.float32]
MOST_REGRESSORS: Final = 24
_LONGEST_LAG: Final = 64


def build(where: str, parameters: Mapping[str, Parameter], inlet: Inlet) -> Reshape:
    """`targets` stay, each minus what `references`, each at all `lags` (samples; below 0 ahead), explain of it.

    `ridge` is added to the diagonal, times its mean. At a window's ends the nearest sample stands in.
    Raises TaskError: no such channel, a lag over 64, more than 24 regressors.
    """
    known(where, parameters, ("lags", "references", "ridge", "targets"))
    targets = indices(where, parameters, "targets", inlet.channels)
    references = indices(where, parameters, "references", inlet.channels)
    lags = numbers(where, parameters, "lags").tolist()
    ridge = number(where, parameters, "ridge", 1e-6, 1e6)
    if not lags or any(lag != int(lag) or abs(lag) > _LONGEST_LAG for lag in lags):
        raise TaskError(f"{where}: lags are whole numbers from -{_LONGEST_LAG} to {_LONGEST_LAG}, not {lags}")
    if set(targets) & set(references) or len(references) * len(lags) > MOST_REGRESSORS:
        raise TaskError(f"{where}: no target is a reference, and references times lags are at most {MOST_REGRESSORS}")
    steps = np.arange(inlet.rows)
    at = [np.clip(steps - int(lag), 0, inlet.rows - 1) for lag in lags]

    def apply(windows: Floats) -> Floats:
        centred = _centred(windows)
        x = np.stack([centred[:, rows, channel] for channel in references for rows in at], axis=2)
        y = centred[:, :, targets]
        weights = _solve(*_moments(x, y), ridge).astype(np.float32)
        for k in range(x.shape[2]):
            y = y - weights[:, k, None, :] * x[:, :, k, None]
        return y

    return Reshape(apply, inlet.rows, len(targets))


def _centred(windows: Floats) -> Floats:
    total = np.zeros((len(windows), windows.shape[2]), np.float32)
    for row in range(windows.shape[1]):
        total = total + windows[:, row]
    return np.asarray(windows - (total / np.float32(windows.shape[1]))[:, None])


def _moments(x: Floats, y: Floats) -> tuple[Samples, Samples]:
    """Sums over the rows, one after the other: XT X (n, K, K) and XT Y (n, K, targets)."""
    gram = np.zeros((len(x), x.shape[2], x.shape[2]), np.float32)
    right = np.zeros((len(x), x.shape[2], y.shape[2]), np.float32)
    for row in range(x.shape[1]):
        gram += x[:, row, :, None] * x[:, row, None, :]
        right += x[:, row, :, None] * y[:, row, None, :]
    return gram.astype(np.float64), right.astype(np.float64)


def _solve(gram: Samples, right: Samples, ridge: float) -> Samples:
    """Weights (n, K, targets) of (gram + ridge · mean diagonal) w = right, by Cholesky. No motion: weights 0."""
    k = gram.shape[1]
    trace = np.zeros(len(gram))
    for i in range(k):
        trace = trace + gram[:, i, i]
    added = np.where(trace > 0.0, ridge * (trace / k), 1.0)
    low, w = np.zeros_like(gram), right.copy()
    for j in range(k):
        for i in range(j, k):
            rest = gram[:, i, j] + added if i == j else gram[:, i, j]
            for m in range(j):
                rest = rest - low[:, i, m] * low[:, j, m]
            # A pivot is at least what was added; less is rounding.
            low[:, i, j] = np.sqrt(np.maximum(rest, added)) if i == j else rest / low[:, j, j]
    for i in range(k):
        for m in range(i):
            w[:, i] -= low[:, i, m, None] * w[:, m]
        w[:, i] /= low[:, i, i, None]
    for i in range(k - 1, -1, -1):
        for m in range(i + 1, k):
            w[:, i] -= low[:, m, i, None] * w[:, m]
        w[:, i] /= low[:, i, i, None]
    return w
