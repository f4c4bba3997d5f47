"""One validator's process, for commands to talk to."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner, Result

from salus_chain.cli import app
from salus_chain.founding import Founded, init_chain
from salus_chain.genesis import Policy
from tests.chain.ports import free_ports


@dataclass(frozen=True)
class Alone:
    """A federation of one hospital."""

    founded: Founded

    @property
    def genesis(self) -> str:
        return str(self.founded.genesis_path)

    @property
    def key(self) -> str:
        return str(self.founded.validators[0].with_name("key.pem"))

    def run(self, *arguments: str) -> Result:
        """A command about this chain; its output holds what went to both streams."""
        return CliRunner().invoke(app, [*arguments, "--genesis", self.genesis])


@contextmanager
def running(folder: Path) -> Iterator[Alone]:
    """Until it answers, at most 30 s."""
    founded = init_chain(folder / "fed", validators=1, ports=free_ports(2), policy=Policy(min_updates=1), test=True)
    one = Alone(founded)
    command = [sys.executable, "-m", "salus_chain", "run", str(founded.validators[0])]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + 30
            while one.run("status").exit_code and time.monotonic() < deadline:
                time.sleep(0.1)
            yield one
        finally:
            process.terminate()
            process.wait(10)
