"""`python -m salus_chain`: the commands of `salus chain` alone."""

from __future__ import annotations

import sys

import typer

from salus_chain.cli import app
from salus_chain.errors import ChainError, ConfigError


def main() -> None:
    """Run a command; an error of ours is one line, exit code 2 for a wrong configuration, else 1."""
    try:
        app()
    except ChainError as error:
        typer.echo(f"salus chain: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigError) else 1)


if __name__ == "__main__":
    main()
