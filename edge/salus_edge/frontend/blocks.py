"""Which front end blocks there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from salus_edge.errors import TaskError
from salus_edge.frontend import filter as iir
from salus_edge.frontend import magnitude, scale
from salus_edge.frontend.chunk import Stage
from salus_edge.task import Parameter, Task

Builder = Callable[[str, Mapping[str, Parameter], int], Stage[Any]]

BLOCKS: Final[dict[str, Builder]] = {
    "filter": iir.build,
    "magnitude": magnitude.build,
    "scale": scale.build,
}


def build(task: Task) -> tuple[Stage[Any], ...]:
    """The task's blocks, ready, each with the channels that the one before gives. Raises TaskError."""
    stages: list[Stage[Any]] = []
    channels = len(task.channels)
    for index, block in enumerate(task.frontend):
        where = f"task {task.name}, frontend[{index}] ({block.block})"
        if block.block not in BLOCKS:
            raise TaskError(f"{where}: no such block; known are {', '.join(BLOCKS)}")
        stage = BLOCKS[block.block](where, block.parameters, channels)
        stages.append(stage)
        channels = stage.channels
    return tuple(stages)
