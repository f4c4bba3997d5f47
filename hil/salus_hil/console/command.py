"""`salus bench console`: how fast a wearable's console is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def bench(
    port: Annotated[str, typer.Argument(help="A serial port, a pty, socket://host:port or rfc2217://host:port.")],
    baud: Annotated[int, typer.Option(help="Of a UART; a pty has none.")] = 115_200,
    seconds: Annotated[float, typer.Option(help="For each length.")] = 5.0,
    json: Annotated[Path | None, typer.Option("--json", help="Write the figures here, too.")] = None,
) -> None:
    """Measure a console: echoes of random bytes, of several lengths, all compared.

    Example: salus bench console wearable/serial --json console.json
    """
    import asyncio
    from dataclasses import asdict

    import msgspec
    from rich.console import Console as Screen
    from rich.table import Table

    from salus_hil.console.client import Console
    from salus_hil.console.throughput import Throughput, lengths, measure

    async def run() -> list[Throughput]:
        async with Console(port, baud) as console:
            hello = await console.wait_ready()
            return [await measure(console, length, seconds) for length in lengths(hello.max_frame_bytes)]

    figures = asyncio.run(run())
    table = Table("payload bytes", "exchanges", "kB/s each way", "p50 ms", "p99 ms", title=f"Console at {port}")
    for each in figures:
        numbers = (f"{each.bytes_per_s / 1000:.1f}", f"{each.p50_ms:.2f}", f"{each.p99_ms:.2f}")
        table.add_row(str(each.payload_bytes), str(each.exchanges), *numbers)
    Screen().print(table)
    if json is not None:
        json.write_bytes(msgspec.json.format(msgspec.json.encode([asdict(each) for each in figures])))
