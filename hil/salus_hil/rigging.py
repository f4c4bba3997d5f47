"""`salus hil`: what is on a bench, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

BAUD: Final = 115_200
RIGS: Final = Path("hil/rigs")

app = typer.Typer(help="Rigs: wearables on a bench, and the suite that proves them.", no_args_is_help=True)

Port = Annotated[str, typer.Argument(help="A tty or pty, socket://host:port or rfc2217://host:port.")]
Baud = Annotated[int, typer.Option(help="Of a real serial line.", min=1)]
Log = Annotated[Path | None, typer.Option(help="Append a line to this file for each frame.")]


@app.callback()
def hil() -> None:
    """Rigs: wearables on a bench, and the suite that proves them."""


@app.command("list")
def show(
    rigs: Annotated[list[Path] | None, typer.Argument(help="Rig files; all in hil/rigs when none is named.")] = None,
) -> None:
    """Show the wearables of rig files, whether each could start now, and this machine's serial ports.

    Example: salus hil list hil/rigs/native.yaml
    """
    from salus_hil.rig.listing import show_ports, show_rigs

    show_rigs(rigs or sorted(RIGS.glob("*.yaml")))
    show_ports()


@app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    rig: Annotated[Path, typer.Argument(help="The rig file.")],
    suite: Annotated[Path | None, typer.Option(help="A folder or file of tests instead of hil/suite.")] = None,
) -> None:
    """Run the suite on every wearable of a rig; further options go to pytest. Ends with pytest's exit code.

    Example: salus hil run hil/rigs/native.yaml -k release --salus-report out
    """
    from salus_hil.rig.suite import run_suite

    raise typer.Exit(run_suite(rig, context.args, suite))


@app.command()
def bridge(
    port: Port,
    broker: Annotated[str, typer.Option(help="mqtt://host:port; else the one that the wearable was given.")] = "",
    baud: Baud = BAUD,
    log: Log = None,
) -> None:
    """Carry a wearable's MQTT over its serial console, until Ctrl-C.

    Example: salus hil bridge /dev/serial/by-id/usb-Espressif_0001-if00 --broker mqtt://127.0.0.1:1883
    """
    from salus_hil.rig.watching import carry, run_until_interrupted

    run_until_interrupted(carry(port, baud, broker, log))


@app.command()
def monitor(port: Port, baud: Baud = BAUD, log: Log = None) -> None:
    """Show who a wearable is and every log line that it says, over resets and cuts, until Ctrl-C.

    Example: salus hil monitor /dev/serial/by-id/usb-Espressif_0001-if00
    """
    from salus_hil.rig.watching import run_until_interrupted, watch

    run_until_interrupted(watch(port, baud, log))
