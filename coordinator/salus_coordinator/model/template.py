"""The form of every personal release of a task: trunk and head as a .tflite whose numbers are still 0.

Weights, biases and scales are regions for a gateway to fill; the graph stays ours, under the release key's signature
in each base's manifest. It follows from the task alone, so all releases of a task have the same one.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from ai_edge_litert import schema_py_generated as schema

from salus_chain.proto.release_pb2 import Region, Template
from salus_coordinator.model.device import Graph, Scale
from salus_coordinator.model.layers import features
from salus_coordinator.model.oracle import arena_bytes
from salus_edge.personal_release import dense_rows
from salus_edge.task import Task

DATA_FIELD: Final = 4  # of Buffer: `data` in its flatbuffer table
SCALE_FIELD: Final = 8  # of QuantizationParameters: `scale`


@dataclass(frozen=True, slots=True)
class PersonalTemplate:
    """`content` is the .tflite, `message` what the manifest says of it."""

    content: bytes
    message: Template


def personal_template(task: Task) -> PersonalTemplate:
    """Raises MissingTool where there is no TFLM to measure the arena with, ModelError when TFLM refuses the form."""
    graph = Graph()
    before = Scale(task.feature.scale, task.feature.zero_point)
    width = features(task)
    first = here = graph.tensor("feature", [1, width], schema.TensorType.INT8, before)
    for row in dense_rows(task):
        after = Scale(1.0, -128 if row.relu else 0)
        here = graph.dense(row.name, here, width, row.units, before, after, row.relu)
        width, before = row.units, after
    whole = graph.finish(first, here, f"salus {task.name} personal", "personal")
    regions = sorted(_regions(whole), key=lambda region: region.offset)
    content = bytearray(whole)
    for region in regions:
        content[region.offset : region.offset + region.size_bytes] = bytes(region.size_bytes)
    message = Template(
        sha256=sha256(content).digest(), size_bytes=len(content), regions=regions, arena_bytes=arena_bytes(whole)
    )
    return PersonalTemplate(bytes(content), message)


def _regions(model: bytes) -> list[Region]:
    """Where the constants' data lie and the scales of all tensors but the input, whose scale is the task's."""
    parsed = schema.Model.GetRootAsModel(model, 0)
    graph, found = parsed.Subgraphs(0), []
    for index in range(graph.TensorsLength()):
        tensor = graph.Tensors(index)
        name, buffer = tensor.Name().decode(), parsed.Buffers(tensor.Buffer())
        if index == graph.Inputs(0):
            continue
        if buffer.DataLength():
            found.append(_region(name, buffer, DATA_FIELD, buffer.DataLength()))
        scales = tensor.Quantization()
        found.append(_region(f"{name}:scale", scales, SCALE_FIELD, 4 * scales.ScaleLength()))
    return found


def _region(name: str, table: object, field: int, size: int) -> Region:
    inner = table._tab  # type: ignore[attr-defined]  # flatbuffers has no public way to an offset
    return Region(name=name, offset=inner.Vector(inner.Offset(field)), size_bytes=size)
