"""`salus gateway`: run a patient's edge gateway, score its models, check its configuration."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The edge gateway: stores, predicts, personalises, takes part in rounds.", no_args_is_help=True)

Config = Annotated[Path, typer.Argument(metavar="GATEWAY.TOML", help="The gateway's configuration.")]


@app.command()
def run(config: Config) -> None:
    """Run the gateway until SIGTERM. It logs JSON lines on standard error.

    Example: salus gateway run gateway-0.toml
    """
    from salus_edge import logs
    from salus_edge.config import read_settings
    from salus_edge.gateway import run as run_gateway

    logs.configure()
    with _said():
        run_gateway(read_settings(config))


@app.command()
def evaluate(
    config: Config,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the scores here.")] = None,
) -> None:
    """Score every patient's models on her reference labels, which never train.

    Example: salus gateway evaluate gateway-0.toml --json scores.json
    """
    import json
    from dataclasses import asdict

    from salus_edge.config import read_settings
    from salus_edge.evaluate import evaluate as score
    from salus_edge.store import Database

    with _said():
        settings = read_settings(config)
        with Database(settings.store) as database:
            scores = score(settings, database)
    if json_file is not None:
        json_file.write_text(json.dumps([asdict(each) for each in scores], indent=1) + "\n")
    for each in scores:
        f1 = f"macro F1 {each.macro_f1:.3f}"
        labels = "+".join(each.labels) or "no labels"
        typer.echo(
            f"{each.patient}  {each.arm:24} {labels:16} accuracy {each.accuracy:6.1%}  {f1}"
            f"  ({each.windows} windows, trained on {each.train_windows})"
        )


@app.command()
def check(config: Config) -> None:
    """Read the configuration and all files that it names, and say what is there.

    Example: salus gateway check gateway-0.toml
    """
    from salus_chain.passphrases import open_key
    from salus_edge.config import read_settings
    from salus_edge.link.url import read_url
    from salus_edge.training.program import TrainingProgram

    with _said():
        settings = read_settings(config)
        package = settings.package
        program = TrainingProgram(package.program, package.layout, package.task.batch)
        key, broker = open_key(settings.key).public_key.hex(), read_url(settings.mqtt_url)
    typer.echo(f"gateway {settings.gateway}, key {key}")
    typer.echo(f"federation {settings.genesis.federation}, {len(settings.validators)} validators; broker {broker}")
    typer.echo(f"task {package.task.name}: {package.layout.size} weights, {program.features_per_window} features")
    for patient in settings.patients:
        typer.echo(f"patient {patient.patient}: {patient.device}{', calibrates' if patient.calibrate else ''}")
    for arm in settings.arms:
        typer.echo(f"arm {arm.task}: labels {', '.join(arm.labels)}")


class _said:  # noqa: N801 -- reads as a statement: with _said():
    """An error of ours becomes one line and an exit code: 2 for a wrong configuration, else 1."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from salus_chain.errors import ChainError, ConfigError
        from salus_edge.errors import EdgeError

        if isinstance(error, ChainError | EdgeError):
            typer.echo(f"salus gateway: {error}", err=True)
            sys.exit(2 if isinstance(error, ConfigError) else 1)


if __name__ == "__main__":
    app()
