"""The two model slots: one active, the other free for what comes; a swap is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from google.protobuf.message import DecodeError

from salus_chain.proto.release_pb2 import Manifest
from salus_edge.errors import ConfigError
from salus_edge.task import Task, load_task
from salus_hil.virtual.flash import Flash

NAMES = ("A", "B")


@dataclass(frozen=True, slots=True)
class Slot:
    """A model that may run, and the manifest under which it came."""

    name: str
    manifest: Manifest
    model: bytes


class Slots:
    """Slots A and B in flash; `active` always holds a whole, checked model."""

    def __init__(self, flash: Flash) -> None:
        self._flash = flash

    def provision(self, manifest: bytes, model: bytes) -> None:
        """Put the first model into slot A, unless there is one: what a factory does."""
        with self._flash.transaction():
            if not self.versions:
                self._write("A", manifest, model)

    @property
    def active(self) -> Slot:
        name = NAMES[self._flash.counter("active")]
        manifest, model = self._flash.db.execute("SELECT manifest, model FROM slots WHERE name = ?", (name,)).fetchone()
        return Slot(name, Manifest.FromString(manifest), bytes(model))

    @property
    def versions(self) -> list[int]:
        """Every version that was active, in order."""
        rows = self._flash.db.execute("SELECT number FROM versions ORDER BY number")
        return [int(row[0]) for row in rows]

    def swap(self, manifest: bytes, model: bytes) -> None:
        """Write the checked release into the free slot and make it the active one. Joins the caller's transaction."""
        with self._flash.transaction():
            free = 1 - self._flash.counter("active")
            self._write(NAMES[free], manifest, model)
            self._flash.set("active", free)

    def _write(self, name: str, manifest: bytes, model: bytes) -> None:
        self._flash.db.execute("INSERT OR REPLACE INTO slots VALUES (?, ?, ?)", (name, manifest, model))
        version = Manifest.FromString(manifest).version
        self._flash.db.execute("INSERT OR IGNORE INTO versions VALUES (?)", (version,))


def read_package(folder: Path) -> tuple[Task, bytes, bytes]:
    """(task, manifest, model) of a model package. Raises ConfigError when it is not whole."""
    try:
        manifest = (folder / "manifest.pb").read_bytes()
        model = (folder / "base.tflite").read_bytes()
        named = Manifest.FromString(manifest).sha256
    except (OSError, DecodeError) as error:
        raise ConfigError(f"model {folder}: no model package ({error}); `salus model build` makes one") from None
    if named != sha256(model).digest():
        raise ConfigError(f"model {folder}: base.tflite is not what manifest.pb names; build it again")
    return load_task(folder / "task.toml"), manifest, model
