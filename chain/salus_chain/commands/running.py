"""Run a validator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import asyncio


def run(
    config: Annotated[Path, typer.Argument(help="A validator's folder, or its validator.toml.")],
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Holds the key's passphrase; else SALUS_PASSPHRASE does, or you are asked.")
    ] = None,
) -> None:
    """Run a validator until SIGTERM.

    Example: salus chain run federation/validator-0
    """
    import asyncio
    import logging

    import structlog

    from salus_chain.errors import ChainError, first_of
    from salus_chain.node.process import run_validator

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO), cache_logger_on_first_use=True
    )
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run_validator(config, passphrase_file))
    except BaseExceptionGroup as group:
        raise first_of(group, ChainError) from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed, as it is on all but Windows: frames over TLS take less time on it."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
