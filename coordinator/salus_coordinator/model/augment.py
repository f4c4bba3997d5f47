"""Augmentation that a body could do: the watch turned on the wrist, slower or faster, wider or smaller."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from salus_edge.task import Task

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Standard deviations: rotation about a random axis (degrees), log gain of the second triad (gyroscope:
    speed).

    `warp` bounds the uniform log time stretch.
    """

    rotation_deg: float = 20.0
    log_gain: float = 0.1
    warp: float = 0.1


def triads(task: Task) -> list[list[int]]:
    """The channels that turn together: the task's `magnitude` groups of three; none, where it has no such
    block.
    """
    groups = [block.parameters.get("groups", []) for block in task.frontend if block.block == "magnitude"]
    rows = [row for group in groups if isinstance(group, list) for row in group if isinstance(row, list)]
    return [[int(channel) for channel in row] for row in rows if len(row) == 3]


def augment(task: Task, wide: Floats, plan: Augmentation, rng: np.random.Generator) -> Floats:
    """Windows (n, samples + margin, channels) to (n, samples, channels): stretched, shifted, turned, scaled.

    Turning commutes with the front end, because all channels of a triad have one gain and no offset.
    """
    x = _stretch(wide, task.window.samples, plan.warp, rng)
    turn = _rotations(len(x), plan.rotation_deg, rng)
    groups = triads(task)
    for triad in groups:
        x[:, :, triad] = np.einsum("nij,ntj->nti", turn, x[:, :, triad])
    if len(groups) > 1:
        gain = np.exp(rng.normal(0.0, plan.log_gain, (len(x), 1, 1))).astype(np.float32)
        x[:, :, [*groups[1], len(task.channels) + 1]] *= gain
    return x


def _stretch(wide: Floats, samples: int, warp: float, rng: np.random.Generator) -> Floats:
    """Linear interpolation at `samples` even times, from a random start, within the wide window."""
    count, length, _ = wide.shape
    span = np.minimum((samples - 1) * np.exp(rng.uniform(-warp, warp, count)), length - 1)
    start = rng.random(count) * (length - 1 - span)
    at = start[:, None] + span[:, None] * np.linspace(0.0, 1.0, samples)
    low = np.minimum(at.astype(np.int64), length - 2)
    part = (at - low)[..., None].astype(np.float32)
    row = np.arange(count)[:, None]
    return np.asarray(wide[row, low] * (1.0 - part) + wide[row, low + 1] * part, np.float32)


def _rotations(count: int, degrees: float, rng: np.random.Generator) -> Floats:
    """Rotations (n, 3, 3) about random axes (Rodrigues), angle normal with that standard deviation."""
    axis = rng.normal(size=(count, 3))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.deg2rad(rng.normal(0.0, degrees, count))[:, None, None]
    cross = np.zeros((count, 3, 3))
    cross[:, 0, 1], cross[:, 0, 2], cross[:, 1, 2] = -axis[:, 2], axis[:, 1], -axis[:, 0]
    cross -= np.transpose(cross, (0, 2, 1))
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross, np.float32)
