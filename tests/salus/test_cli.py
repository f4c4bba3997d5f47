"""Every command explains itself, and an error is one line with an exit code that CI can trust."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from salus.cli import app

GROUPS = ("model", "gateway", "coordinator", "chain", "wearable", "data", "bench")


def commands() -> Iterator[list[str]]:
    yield ["demo"]
    tree = typer.main.get_command(app)
    for group in GROUPS:
        yield from below([group], tree.commands[group])  # type: ignore[attr-defined]


def below(path: list[str], node: object) -> Iterator[list[str]]:
    """The commands of a group, and of the groups in it."""
    inner = getattr(node, "commands", None)
    if inner is None:
        yield path
        return
    for name, each in inner.items():
        yield from below([*path, name], each)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_help_has_an_example(command: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    assert "Example: " in shown.output


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["demo", "--data", "nothing"], 1, "no task that ships with Salus uses data set 'nothing'"),
        (["gateway", "run", "missing.toml"], 2, "missing.toml: no such file"),
        (["chain", "verify", "missing.cbor", "--genesis", "missing.toml"], 2, "missing.cbor: No such file"),
        (["coordinator", "run", "missing.toml"], 2, "missing.toml: no such file"),
        (["bench", "console", "/dev/salus-none"], 1, "port /dev/salus-none does not open (No such file or directory)"),
        (["wearable", "simulate", "missing.toml"], 2, "missing.toml: no such file"),
        (["model", "build", "nothing"], 2, "no task 'nothing'"),
    ],
)
def test_an_error_is_one_line_with_its_exit_code(command: list[str], code: int, words: str) -> None:
    done = subprocess.run([sys.executable, "-m", "salus", *command], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_another_folder_is_never_emptied(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path)) / "mine"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    command = [sys.executable, "-m", "salus", "demo", "--dir", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "name another folder" in done.stderr
    assert (folder / "thesis.txt").read_text() == "years of work"
