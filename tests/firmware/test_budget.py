"""A program over its budget fails the build, and is gone, so that the next build does not take it for made."""

import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("elftools")
SCRIPT = Path(__file__).parents[2] / "firmware" / "tools" / "budget.py"
PROGRAM = Path("/bin/true")


class BuildEnvironment(dict[str, str]):
    """As much of SCons's as the script uses."""

    def __init__(self, build_type: str, **options: str) -> None:
        super().__init__(BUILD_TYPE=build_type)
        self.options = options
        self.action: Callable[..., int] | None = None

    def AddPostAction(self, target: str, action: Callable[..., int]) -> None:  # noqa: N802  SCons's name
        assert target == "$PROGPATH"
        self.action = action

    def VerboseAction(self, action: Callable[..., int], _: str) -> Callable[..., int]:  # noqa: N802
        return action

    def GetProjectOption(self, name: str, default: str) -> str:  # noqa: N802
        return self.options.get(name, default)


def post_action(build_type: str, **options: str) -> tuple[BuildEnvironment, Callable[..., int] | None]:
    env = BuildEnvironment(build_type, **options)
    runpy.run_path(str(SCRIPT), init_globals={"Import": lambda _: None, "env": env})
    return env, env.action


@pytest.fixture
def program(tmp_path: Path) -> Path:
    if not PROGRAM.read_bytes().startswith(b"\x7fELF"):
        pytest.skip(f"{PROGRAM} is no ELF file here")
    return Path(shutil.copy(PROGRAM, tmp_path / "program"))


@pytest.mark.parametrize("kind", ["flash", "ram"])
def test_over_the_budget_the_build_fails(program: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    env, check = post_action("release", **{f"custom_{kind}_budget": "1_00"})
    assert check is not None
    assert check([program], [], env) == 1
    assert not program.exists()
    assert f"of {kind} over the budget" in capsys.readouterr().err


def test_within_the_budget_it_says_how_much_is_used(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env, check = post_action("release", custom_flash_budget="10_000_000", custom_ram_budget="10000000")
    assert check is not None
    assert check([program], [], env) == 0
    assert program.exists()
    assert "of 10,000,000 bytes" in capsys.readouterr().out


def test_tests_have_no_budget() -> None:
    assert post_action("release, test", custom_flash_budget="1")[1] is None
