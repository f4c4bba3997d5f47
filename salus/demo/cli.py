"""`salus demo`: the options, nothing else."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Wearables(StrEnum):
    """`auto`: native where a compiler and its libraries are there, else tflm, and says so."""

    AUTO = "auto"
    NATIVE = "native"
    TFLM = "tflm"


def demo(
    folder: Annotated[
        Path, typer.Option("--dir", help="Where everything is written; it stays, to be run piece by piece.")
    ] = Path("salus-demo"),
    data: Annotated[str, typer.Option(help="Data set to replay; `salus data list` shows them.")] = "watch",
    patients: Annotated[
        int, typer.Option(min=1, help="Patients, each with a wearable. The other people pre-train the base.")
    ] = 6,
    gateways: Annotated[int, typer.Option(min=1, help="Edge gateways; patients are shared out among them.")] = 3,
    validators: Annotated[int, typer.Option(min=1, help="Hospitals, each with a validator.")] = 4,
    rounds: Annotated[
        int, typer.Option(min=2, help="Federated rounds: one calibration round, the others feature rounds.")
    ] = 4,
    broker: Annotated[
        str, typer.Option(help="An MQTT broker of your own (mqtt:// or mqtts://); else one is started.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Seed of everything drawn: who pre-trains, initial weights, batches.")] = 0,
    wearable: Annotated[
        Wearables,
        typer.Option(help="What runs the wearables: the firmware as host programs, or Python with the genuine TFLM."),
    ] = Wearables.AUTO,
    patience: Annotated[
        float, typer.Option(min=0.25, max=60, help="Rounds are open so many times as long: for slow machines.")
    ] = 1.0,
    quick: Annotated[bool, typer.Option("--quick", help="Shorter pre-training: for tests, not for figures.")] = False,
) -> None:
    """One patient's day, end to end: wearables, gateways, chain, rounds, a release over MQTT, and a report.

    Example: salus demo --dir my-demo --patients 6 --rounds 4
    """
    from salus.demo.options import Options
    from salus.demo.run import run

    run(
        Options(
            folder=folder.resolve(),
            data=data,
            patients=patients,
            gateways=gateways,
            validators=validators,
            rounds=rounds,
            broker=broker,
            seed=seed,
            quick=quick,
            patience=patience,
            wearable=wearable.value,
        )
    )
