"""Bring the sources that the emulated microcontroller is built from: mbedTLS and nanopb as Debian 12 holds them.

They go to firmware/.deps, or to the folder that SALUS_FIRMWARE_DEPS names. Host programs link Debian's own libraries of
the same versions, and ESP32 takes ESP-IDF's mbedTLS and the registry's nanopb (platformio.ini).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

FIRMWARE = Path(__file__).resolve().parent.parent
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SOURCE_LIST = f"deb-src [signed-by={KEYRING}] http://deb.debian.org/debian bookworm main\n"


class Source(NamedTuple):
    """One release of one project: its archive as upstream published it."""

    package: str
    version: str
    sha256: str

    @property
    def archive(self) -> str:
        return f"{self.package}_{self.version}.orig.tar.gz"

    @property
    def folder(self) -> str:
        return f"{self.package}-{self.version}"


SOURCES = (
    Source("mbedtls", "2.28.3", "3b4953aa55a681e084d31892d9904cc5328d6b4958ea57b90ae4b4f94ae69a8d"),
    Source("nanopb", "0.4.7", "e1d89b166367a3c42d42311bdc2ed57ff78f86aede9a66828516e45490d48c81"),
)


def deps_dir() -> Path:
    """Where the sources are, or will be."""
    return Path(os.environ.get("SALUS_FIRMWARE_DEPS") or FIRMWARE / ".deps")


def ensure(deps: Path | None = None) -> dict[str, Path]:
    """The folder of each project's sources, fetched when missing. Raises SystemExit: what failed and what to do."""
    deps = deps or deps_dir()
    missing = [source for source in SOURCES if not (deps / source.folder).is_dir()]
    if missing:
        deps.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=deps) as work:
            _download([source for source in missing if not (deps / source.archive).is_file()], Path(work), deps)
            for source in missing:
                _unpack(deps, source, Path(work))
    return {source.package: deps / source.folder for source in SOURCES}


def _download(sources: list[Source], work: Path, deps: Path) -> None:
    if not sources:
        return
    names = " ".join(source.archive for source in sources)
    (work / "sources.list").write_text(SOURCE_LIST)
    (work / "lists" / "partial").mkdir(parents=True)
    apt = [
        "apt-get",
        "-qq",
        f"-oDir::Etc::SourceList={work}/sources.list",
        "-oDir::Etc::SourceParts=/dev/null",
        f"-oDir::State::Lists={work}/lists",
        f"-oDir::Cache={work}",
        "-oAPT::Sandbox::User=",
    ]
    wanted = [f"{source.package}" for source in sources]
    try:
        subprocess.run([*apt, "update"], cwd=work, check=True)
        subprocess.run([*apt, "source", "--download-only", "--only-source", *wanted], cwd=work, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"{names} cannot be had from Debian ({error}); put them into {deps} and build again")
    for source in sources:
        if not (work / source.archive).is_file():
            sys.exit(f"Debian has another version than {source.folder}; put {source.archive} into {deps}")
        (work / source.archive).rename(deps / source.archive)


def _unpack(deps: Path, source: Source, work: Path) -> None:
    archive = deps / source.archive
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    if digest != source.sha256:
        sys.exit(f"{archive}: SHA-256 {digest}, not {source.sha256}; delete it and build again")
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # there is one from Python 3.11.4 on
        tar.extractall(work / source.package)  # noqa: S202  (its digest is the one above)
    (content,) = (work / source.package).iterdir()
    try:
        content.rename(deps / source.folder)  # whole or not at all
    except OSError:
        if not (deps / source.folder).is_dir():  # else another build was quicker
            raise


if __name__ == "__main__":
    for folder in ensure().values():
        print(folder)
