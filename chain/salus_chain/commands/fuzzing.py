"""Look for a bug in the consensus by simulation, and prove that the simulation would find one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JobsOption = Annotated[int, typer.Option("--jobs", min=1, help="Processes.")]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the result here as well.")]


def fuzz(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="How many runs.")] = 2_000,
    first: Annotated[int, typer.Option("--first", min=0, help="The first seed.")] = 0,
    jobs: JobsOption = 1,
    json: JsonOption = None,
    replay: Annotated[int | None, typer.Option("--replay", help="Print what happens in this seed.")] = None,
    stop: Annotated[bool, typer.Option("--stop", help="Stop at the first violation.")] = False,
) -> None:
    """Simulate the consensus under faults and liars. Exits 1 when an invariant is violated.

    Example: salus chain fuzz --seeds 100000 --jobs 2 --json fuzz.json
    """
    from json import dumps
    from time import monotonic

    from rich.progress import track

    from salus_chain.simulation import fuzz as simulation

    if replay is not None:
        outcome, lines = simulation.replay(replay)
        typer.echo("\n".join(lines))
        raise typer.Exit(1 if outcome.violation else 0)
    report, started = simulation.Report(), monotonic()
    for outcome in track(simulation.runs(first, seeds, jobs), "seeds", total=seeds, transient=True):
        report.add(outcome)
        if outcome.violation:
            typer.echo(f"seed {outcome.seed}: {outcome.violation}; salus chain fuzz --replay {outcome.seed}")
            if stop:
                break
    result = report.to_json(monotonic() - started)
    if json is not None:
        json.write_text(dumps(result, indent=1) + "\n")
    for name, count in sorted(report.counts.items()):
        typer.echo(f"{count:10,}  {name}")
    typer.echo(
        f"{report.seeds:,} seeds, {result['simulated_s']:,} s simulated in {result['wall_s']:,} s, "
        f"{len(report.violations)} violations; the slowest took {report.slowest:.0%} of its bound (seed "
        f"{report.slowest_seed})"
    )
    raise typer.Exit(1 if report.violations else 0)


def mutants(
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="The most that one may take.")] = 60,
    jobs: JobsOption = 1,
    json: JsonOption = None,
) -> None:
    """Break the consensus on purpose, one way at a time, and simulate. Exits 1 when a mutant survives.

    Example: salus chain mutants --json mutants.json
    """
    from json import dumps
    from time import monotonic

    from salus_chain.simulation.mutants import MUTANTS, gate

    started, verdicts = monotonic(), []
    for verdict in gate(seconds, jobs):
        verdicts.append(verdict)
        how = f"seed {verdict.seed}, {verdict.invariant}" if verdict.killed else "SURVIVED"
        typer.echo(f"{verdict.seconds:6.1f} s  {verdict.name:<46}  {how}")
    killed = sum(verdict.killed for verdict in verdicts)
    if json is not None:
        rows = [
            {
                "name": each.name,
                "killed": each.killed,
                "seconds": each.seconds,
                "seed": each.seed,
                "invariant": each.invariant,
            }
            for each in verdicts
        ]
        result = {"mutants": len(MUTANTS), "killed": killed, "wall_s": round(monotonic() - started, 1), "rows": rows}
        json.write_text(dumps(result, indent=1) + "\n")
    typer.echo(f"{killed} of {len(MUTANTS)} mutants killed in {monotonic() - started:.0f} s")
    raise typer.Exit(0 if killed == len(MUTANTS) else 1)
