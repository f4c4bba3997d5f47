"""`salus chain`: found a federation, run a validator, look at the chain, prove and verify."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import typer

from salus_chain.commands import (
    auditing,
    founding,
    fuzzing,
    joining,
    proving,
    repairing,
    running,
    standing,
    transacting,
    trusting,
    voting,
)

app = typer.Typer(
    name="chain",
    help="The hospitals' chain: found it, run a validator, prove and verify settlements.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

COMMANDS: Final[dict[str, Callable[..., None]]] = {
    "init": founding.init,
    "join": joining.join,
    "anchors": trusting.anchors,
    "run": running.run,
    "status": standing.status,
    "verify": proving.verify,
    "repair": repairing.repair,
    "sync": repairing.sync,
    "export": auditing.export,
    "audit": auditing.audit,
    "fuzz": fuzzing.fuzz,
    "mutants": fuzzing.mutants,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(proving.proof, name="proof")
app.add_typer(transacting.tx, name="tx")
app.add_typer(voting.validators, name="validators")
