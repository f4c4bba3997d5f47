"""The commands: help with an example, exit codes, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from salus_coordinator.cli import bench_app, coordinator_app, data_app, model_app
from salus_coordinator.errors import ConfigError, DataError, ModelError
from salus_coordinator.tasks import SHIPPED, find_task, task_of_data

run = CliRunner().invoke


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (model_app, ["build", "--help"]),
        (model_app, ["report", "--help"]),
        (data_app, ["list", "--help"]),
        (data_app, ["import", "--help"]),
        (coordinator_app, ["--help"]),
        (bench_app, ["gateway", "--help"]),
    ],
)
def test_help_has_an_example(app: object, words: list[str]) -> None:
    result = run(app, words)  # type: ignore[arg-type]
    assert result.exit_code == 0
    assert "Example" in result.output


def test_data_list_names_every_set() -> None:
    result = run(data_app, ["list"])
    assert result.exit_code == 0
    assert "watch" in result.output
    assert "hapt" in result.output


def test_an_import_without_importer_fails(tmp_path: Path) -> None:
    assert isinstance(run(data_app, ["import", "hapt", str(tmp_path)]).exception, DataError)


def test_a_report_of_no_package_fails(tmp_path: Path) -> None:
    assert isinstance(run(model_app, ["report", str(tmp_path)]).exception, ModelError)


@pytest.mark.parametrize("task", sorted(SHIPPED))
def test_shipped_tasks_read_and_belong_to_a_data_set(task: str) -> None:
    assert find_task(task).name == task
    assert task_of_data(SHIPPED[task]) == task


@pytest.mark.parametrize("task", ["heartrate", "arrhythmia", "nobody"])
def test_a_task_that_is_not_there_says_why(task: str) -> None:
    with pytest.raises(ConfigError, match=r"front end blocks|shipped are"):
        find_task(task)


def test_a_wrong_address_is_a_configuration_error(tmp_path: Path) -> None:
    result = run(model_app, ["build", "exercise", "--serve", "here", "--out", str(tmp_path / "m")])
    assert isinstance(result.exception, ConfigError)


def test_nothing_imports_tensorflow_until_a_model_is_built() -> None:
    modules = (
        "salus_coordinator, salus_coordinator.cli, salus_coordinator.commands, salus_coordinator.data, "
        "salus_coordinator.shell, salus_coordinator.model.build, salus_coordinator.model.service, "
        "salus_coordinator.bench"
    )
    code = f"import {modules}, sys; sys.exit(any(m.split('.')[0] in ('tensorflow', 'keras') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_command_lines_face_imports_only_typer() -> None:
    code = "import salus_coordinator.cli, sys; sys.exit(any(m in sys.modules for m in ('numpy', 'httpx', 'fastapi')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
