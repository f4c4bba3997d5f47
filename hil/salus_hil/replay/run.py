"""Several wearables' replays: one process of the firmware each, driven from this one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from salus_chain.errors import first_of
from salus_coordinator.data import DataSet
from salus_coordinator.data import load as load_data
from salus_hil.replay.wearable import ReplayedWearable
from salus_hil.virtual.config import Wearable, read_wearable
from salus_hil.virtual.run import log_to_stderr


def replay(paths: list[Path], program: Path) -> None:
    """Run the wearables of these configuration files to their end. Raises what the first failing one raises."""
    log_to_stderr()
    configs = [read_wearable(path) for path in paths]
    try:
        asyncio.run(replay_all(configs, program))
    except BaseExceptionGroup as group:
        raise first_of(group) from None


async def replay_all(configs: list[Wearable], program: Path) -> None:
    """All of them, one task each; a data set is read once."""
    loaded: dict[tuple[str, Path | None], DataSet] = {}
    for config in configs:
        name = (config.file.replay.data, config.root)
        if name not in loaded:
            loaded[name] = load_data(*name)
    wearables = [ReplayedWearable(config, loaded[config.file.replay.data, config.root], program) for config in configs]
    async with asyncio.TaskGroup() as group:
        for config, wearable in zip(configs, wearables, strict=True):
            group.create_task(wearable.run(), name=config.file.device)
