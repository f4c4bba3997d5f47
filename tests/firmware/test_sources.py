"""Sources for the emulated microcontroller: taken as they are when there, never with another content."""

import hashlib
import io
import runpy
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "firmware" / "tools" / "sources.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    def refuse(*_: object, **__: object) -> None:
        raise FileNotFoundError("no apt-get here")

    monkeypatch.setattr(subprocess, "run", refuse)
    return runpy.run_path(str(SCRIPT))


def archive(path: Path) -> str:
    """An archive of one folder with one file; its SHA-256."""
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("upstream-1234/library.c")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"int"))
    return hashlib.sha256(path.read_bytes()).hexdigest()


def use(script: dict[str, Any], sha256: str) -> Callable[[Path], dict[str, Path]]:
    ensure: Callable[[Path], dict[str, Path]] = script["ensure"]
    ensure.__globals__["SOURCES"] = (script["Source"]("made", "1.0", sha256),)
    return ensure


def test_what_is_there_is_not_fetched(script: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "made-1.0").mkdir()
    assert use(script, "")(tmp_path) == {"made": tmp_path / "made-1.0"}


def test_an_archive_that_is_there_is_unpacked_under_its_own_name(script: dict[str, Any], tmp_path: Path) -> None:
    sha256 = archive(tmp_path / "made_1.0.orig.tar.gz")
    folder = use(script, sha256)(tmp_path)["made"]
    assert (folder / "library.c").read_text() == "int"


def test_another_content_is_refused(script: dict[str, Any], tmp_path: Path) -> None:
    archive(tmp_path / "made_1.0.orig.tar.gz")
    with pytest.raises(SystemExit, match="delete it and build again"):
        use(script, "00" * 32)(tmp_path)
    assert not (tmp_path / "made-1.0").exists()


def test_without_apt_it_says_where_the_archive_belongs(script: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=rf"made_1\.0\.orig\.tar\.gz cannot be had .* put them into {tmp_path}"):
        use(script, "00" * 32)(tmp_path)


def test_every_fuzz_target_has_seeds_from_a_script() -> None:
    fuzz = SCRIPT.parents[1] / "fuzz"
    targets = {path.stem for path in fuzz.glob("*.cpp")}
    assert {"console", "manifest", "model", "packet"} <= targets
    assert {path.stem.removesuffix("_seeds") for path in fuzz.glob("*_seeds.py")} == targets
