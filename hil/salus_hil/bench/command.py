"""The commands `salus bench device` and `salus bench wearables`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def device(
    model: Annotated[Path, typer.Argument(help="An int8 .tflite.")] = Path("../shared/anchors/cnn_43k_int8.tflite"),
    json: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Instructions, text and arena of the firmware's portable engine on an emulated Cortex-M4, against TFLM.

    Needs arm-none-eabi-g++ and qemu-system-arm. Instructions are counted, so other work on the machine does no harm.

    Example: salus bench device --json device.json
    """
    from rich.console import Console

    from salus_hil.bench.device import measure, table

    measured = measure(model)
    Console().print(table(measured))
    if json is not None:
        json.write_text(measured.to_json())


def frontend(
    json: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Instructions and memory of each front end block on an emulated Cortex-M4, its windows compared with Python's.

    Needs arm-none-eabi-g++, qemu-system-arm and nanopb's generator. Instructions are counted, never an ESP32's time.

    Example: salus bench frontend --json frontend.json
    """
    from rich.console import Console

    from salus_hil.bench.front_end import measure, table

    measured = measure()
    Console().print(table(measured))
    if json is not None:
        json.write_text(measured.to_json())


def wearables(
    count: Annotated[int, typer.Option("--wearables", help="How many at once.", min=1)] = 10,
    minutes: Annotated[float, typer.Option(help="Of recording for each.", min=1.0)] = 30.0,
    program: Annotated[Path | None, typer.Option(help="The firmware's host program; else the one built here.")] = None,
    json: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """What a wearable costs as a process of this machine, and so how many of them a core carries. Linux only.

    Example: salus bench wearables --json wearables.json
    """
    from json import dumps

    from rich.console import Console

    from salus_hil.bench.fleet import as_json, measure, table
    from salus_hil.replay.program import find_program

    cost = measure(find_program(program), count, minutes)
    Console().print(table(cost))
    if json is not None:
        json.write_text(dumps(as_json(cost), indent=1) + "\n")
