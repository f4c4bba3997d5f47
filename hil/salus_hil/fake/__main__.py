"""`python -m salus_hil.fake --state DIR --task TASK.toml [--serial LINK] [--bridged]`: until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from salus_edge.task import Task, load_task
from salus_hil.fake.wearable import FakeWearable


def main() -> None:
    """A reset starts this very program again."""
    parser = argparse.ArgumentParser(prog="salus_hil.fake", description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--serial", type=Path)
    parser.add_argument("--task", type=Path, required=True)
    parser.add_argument("--bridged", action="store_true", help="MQTT goes by the console")
    options = parser.parse_args()
    options.state.mkdir(parents=True, exist_ok=True)
    link = options.serial or options.state / "serial"
    link.unlink(missing_ok=True)
    asyncio.run(_run(options.state, link, load_task(options.task), options.bridged))
    link.unlink(missing_ok=True)


async def _run(state: Path, link: Path, task: Task, bridged: bool) -> None:
    """Until SIGTERM. A reset is as abrupt as a board's: no connection is closed, and no task is waited for."""
    wearable, ending = FakeWearable(state, link, task, bridged), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    ends = [asyncio.create_task(event.wait()) for event in (wearable.restarting, ending)]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for each in ends:
        each.cancel()
    await wearable.drain()
    if wearable.restarting.is_set() and not ending.is_set():
        _restart(link)


def _restart(link: Path) -> None:
    """This program again, without a link to its terminal: that ends here, and the next one opened may get its name."""
    sys.stdout.flush()
    link.unlink(missing_ok=True)
    os.execv(sys.executable, [sys.executable, "-m", "salus_hil.fake", *sys.argv[1:]])  # noqa: S606  ourselves


if __name__ == "__main__":
    main()
