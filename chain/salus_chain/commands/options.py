"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

GenesisOption = Annotated[Path, typer.Option("--genesis", help="The federation's genesis.toml.")]
TaskOption = Annotated[str, typer.Option("--task", help="The task, such as activity.")]
