"""One process of several virtual wearables."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import structlog

from salus_chain.errors import first_of
from salus_coordinator.data import DataSet
from salus_coordinator.data import load as load_data
from salus_edge.errors import ConfigError
from salus_hil.virtual.config import Wearable, read_wearable
from salus_hil.virtual.engine import Load, load_tflm
from salus_hil.virtual.wearable import VirtualWearable


def simulate(paths: list[Path]) -> None:
    """Run the wearables of these configuration files to their end. Raises what the first failing one raises."""
    log_to_stderr()
    configs = [read_wearable(path) for path in paths]
    for path, config in zip(paths, configs, strict=True):
        if any(phase.wait_for_personal for phase in config.file.replay.phases):
            raise ConfigError(f"{path}: wait_for_personal: only the firmware takes personal releases; use `replay`")
    try:
        asyncio.run(run_all(configs, load_tflm))
    except BaseExceptionGroup as group:
        raise first_of(group) from None


async def run_all(configs: list[Wearable], load: Load) -> None:
    """All of them, one task each; a data set is read once."""
    loaded: dict[tuple[str, Path | None], DataSet] = {}
    for config in configs:
        name = (config.file.replay.data, config.root)
        if name not in loaded:
            loaded[name] = load_data(*name)
    wearables = [VirtualWearable(config, loaded[config.file.replay.data, config.root], load) for config in configs]
    async with asyncio.TaskGroup() as group:
        for config, wearable in zip(configs, wearables, strict=True):
            group.create_task(wearable.run(), name=config.file.device)


def log_to_stderr() -> None:
    """One JSON object a line."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever it is when a line is said
    )
