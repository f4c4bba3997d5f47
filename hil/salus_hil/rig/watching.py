"""What `salus hil bridge` and `monitor` do until they are interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path

from rich.console import Console as Screen

from salus_edge.proto import console_pb2 as pb
from salus_hil.bridge import Bridge
from salus_hil.console import Console, Noise
from salus_hil.errors import CommandFailed, PortError, Silent

LOOK_S = 2.0
_COLOURS = {pb.Log.DEBUG: "dim", pb.Log.INFO: "default", pb.Log.WARNING: "yellow", pb.Log.ERROR: "bold red"}


def run_until_interrupted(work: Coroutine[None, None, None]) -> None:
    """Ctrl-C is how it ends."""
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        return


async def carry(port: str, baud: int, broker: str, log: Path | None) -> None:
    """The bridge. Raises PortError when the port does not open at all."""
    async with Console(port, baud, log) as console:
        show_logs(console, Screen())
        await Bridge(console, broker).run()


async def watch(port: str, baud: int, log: Path | None) -> None:
    """The monitor. Raises PortError when the port does not open at all."""
    screen = Screen()
    async with Console(port, baud, log) as console:
        show_logs(console, screen)
        there = False
        while True:
            try:
                hello = await (console.hello(tries=1) if there else console.wait_ready(LOOK_S))
                if not there:
                    screen.print(f"[bold]{who(hello)}[/bold]", highlight=False)
                there = True
            except (PortError, Silent, CommandFailed) as error:
                if there:
                    screen.print(f"[dim]silent: {error}[/dim]", highlight=False)
                there = False
            await asyncio.sleep(LOOK_S)


def show_logs(console: Console, screen: Screen) -> None:
    """Print each log line as it comes, and what text comes outside of frames."""

    def heard(frame: pb.Frame) -> None:
        if frame.WhichOneof("body") == "log":
            line, style = frame.log, _COLOURS.get(frame.log.level, "default")
            screen.print(f"{line.uptime_ms / 1000:10.3f}  {line.text}", style=style, markup=False, highlight=False)

    def heard_noise(noise: Noise) -> None:
        text = noise.data.decode("ascii", "replace")
        if text.isascii():  # a boot ROM's words, or a panic's; what the line has damaged is for the log file alone
            screen.print(text.strip(), style="dim", markup=False, highlight=False)

    console.listen(heard)
    console.listen_noise(heard_noise)


def who(hello: pb.HelloReply) -> str:
    """One line of who it is."""
    name = hello.device or "nobody's wearable"
    model = f"{hello.task} {hello.model_version}" if hello.task else "no model"
    return f"{name}: {hello.board}, firmware {hello.firmware_version}, {model}"
