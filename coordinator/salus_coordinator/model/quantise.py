"""From float weights to a checked int8 base: ranges, operators, arena, budget, and the loss the quantising
costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_coordinator.errors import ModelError
from salus_coordinator.model import forward
from salus_coordinator.model.device import Scale, write_base
from salus_coordinator.model.layers import Row, layout, rows, window_shape
from salus_coordinator.model.oracle import Oracle, arena_bytes, operators
from salus_edge.task import Task

Floats = NDArray[np.float32]
LOSS_POINTS: Final = 1.0  # the gate: what int8 may cost on the reference set
GOLDENS: Final = 4
INPUT_PERCENTILE: Final = 99.99  # a lone knock would make every step three times as coarse


@dataclass(frozen=True, slots=True)
class Reference:
    """The task's reference set: `windows` float32 (n, samples, channels) after the front end, `labels` int64
    (n,).
    """

    windows: Floats
    labels: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Quantised:
    """An int8 base and what was measured on it; accuracies in percent on the reference set."""

    model: bytes
    input: Scale
    operators: tuple[str, ...]
    arena_bytes: int
    golden_inputs: tuple[bytes, ...]
    golden_features: tuple[bytes, ...]
    float_accuracy: float
    int8_accuracy: float


def quantise(task: Task, flat: Floats, reference: Reference) -> Quantised:
    """Raises ModelError: `unsupported_operator`, `over_budget` (naming the layer), `quantisation_loss`,
    `tflm_refuses`.
    """
    table = rows(task)
    weights = {name: np.asarray(value, np.float32) for name, value in layout(task).split(flat).items()}
    scales = activation_scales(task, table, weights, reference.windows)
    base = [row for row in table if row.group == "base"]
    model = write_base(base, weights, scales, window_shape(task), f"salus {task.name}")
    used = operators(model)
    arena = arena_bytes(model)
    check_budget(task, table, len(model), arena)
    inputs = scales[0].quantise(reference.windows)
    outputs = Oracle(model).run(inputs)
    before = _accuracy(forward.logits(table, weights, forward.features(table, weights, reference.windows)), reference)
    after = _accuracy(forward.logits(table, weights, feature_scale(task).dequantise(outputs)), reference)
    if before - after > LOSS_POINTS:
        raise ModelError(
            "quantisation_loss",
            f"int8 costs {before - after:.1f} points; at most {LOSS_POINTS:g} may be lost",
        )
    chosen = golden_indices(reference.labels)
    return Quantised(
        model=model,
        input=scales[0],
        operators=tuple(used),
        arena_bytes=arena,
        golden_inputs=tuple(inputs[index].tobytes() for index in chosen),
        golden_features=tuple(outputs[index].tobytes() for index in chosen),
        float_accuracy=before,
        int8_accuracy=after,
    )


def feature_scale(task: Task) -> Scale:
    """The fixed quantisation of the task's features."""
    return Scale(task.feature.scale, task.feature.zero_point)


def input_scale(windows: Floats) -> Scale:
    """Symmetric over all but 1 in 10,000 of the reference set's values; what is beyond saturates.

    It depends on no weights, so it is the same for every release of a task.
    """
    largest = float(np.percentile(np.abs(windows), INPUT_PERCENTILE))
    return Scale(float(np.float32(max(largest, 1e-6) / 127.0)), 0)


def activation_scales(task: Task, table: tuple[Row, ...], weights: dict[str, Floats], windows: Floats) -> list[Scale]:
    """The input's scale, then one per base row: [0, largest seen], but the task's fixed one from the last
    convolution on.
    """
    base = [row for row in table if row.group == "base"]
    seen = forward.base_activations(table, weights, windows)
    last = max((index for index, row in enumerate(base) if row.kernel), default=-1)
    scales = [input_scale(windows)]
    for index, output in enumerate(seen):
        largest = max(float(output.max()), 1e-3)
        scales.append(feature_scale(task) if index >= last else Scale(float(np.float32(largest / 255.0)), -128))
    return scales


def check_budget(task: Task, table: tuple[Row, ...], flash: int, arena: int) -> None:
    """Raises ModelError `over_budget`: which budget, by how much, and the layer that takes most of it."""
    base = [row for row in table if row.group == "base"]
    tensors = {row.name: row.length_in * row.channels_in + row.length_out * row.channels_out for row in base}
    costs = (
        ("flash", "bytes", flash, task.budget.flash_bytes, {row.name: row.weights for row in base}),
        ("arena", "bytes", arena, task.budget.arena_bytes, tensors),
        (
            "work",
            "MACs",
            sum(row.macs for row in base),
            task.budget.macs,
            {row.name: row.macs for row in base},
        ),
    )
    for what, unit, cost, budget, share in costs:
        if cost > budget:
            most = max(share, key=lambda name: share[name])
            raise ModelError(
                "over_budget",
                f"{what} {cost} {unit} is over the budget of {budget}; layer {most} takes most: shrink it",
            )


def golden_indices(labels: NDArray[np.int64], count: int = GOLDENS) -> list[int]:
    """The first window of each of `count` classes, then the first others: fixed by the reference set."""
    firsts = [int(np.argmax(labels == label)) for label in np.unique(labels)][:count]
    return (firsts + [index for index in range(len(labels)) if index not in firsts])[: min(count, len(labels))]


def _accuracy(logits: Floats, reference: Reference) -> float:
    return float((logits.argmax(axis=1) == reference.labels).mean() * 100.0)
