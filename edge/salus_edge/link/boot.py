"""The boot counter: the half of every nonce that survives a restart. Persisted before any seal."""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path
from typing import Final

from salus_edge.errors import ConfigError

_HIGHEST: Final = (1 << 32) - 1


class BootCounter:
    """A decimal number in a file of its own. `create` makes it at enrolment; a start never does.

    A boot belongs to the process that took it: two at once would seal under the same nonces.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: int | None = None

    @classmethod
    def create(cls, path: Path) -> BootCounter:
        """Write 0. Raises ConfigError when the file exists: starting again would repeat nonces."""
        if path.exists():
            raise ConfigError(f"{path}: a boot counter exists already; enrol again for a new one")
        path.parent.mkdir(parents=True, exist_ok=True)
        _persist(path, 0)
        return cls(path)

    def next(self) -> int:
        """This start's boot number, durable when it returns.

        Raises ConfigError: missing, corrupt, used up, held by another process, or not to be persisted; then
        nothing may be sealed.
        """
        self._read()
        self._hold()
        boot = self._read() + 1
        if boot > _HIGHEST:
            raise ConfigError(f"{self._path}: the boot counter is used up; enrol the device again")
        _persist(self._path, boot)
        return boot

    def _hold(self) -> None:
        """Lock out other processes until this one ends: the descriptor is never closed."""
        if self._lock is not None:
            return
        path = self._path.with_name(f"{self._path.name}.lock")
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            raise ConfigError(f"{self._path}: another process runs with this boot counter; stop it first") from None
        except OSError as error:
            raise ConfigError(f"{path}: boot counter cannot be locked ({error})") from None
        self._lock = lock

    def _read(self) -> int:
        try:
            text = self._path.read_text("ascii")
        except FileNotFoundError:
            raise ConfigError(f"{self._path}: no boot counter; enrol the device again") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{self._path}: boot counter cannot be read ({error}); enrol again") from None
        if not re.fullmatch(r"(0|[1-9][0-9]{0,9})\n", text):
            raise ConfigError(f"{self._path}: boot counter is corrupt ({text[:20]!r}); enrol again")
        return int(text)


def _persist(path: Path, boot: int) -> None:
    """Temporary file, fsync, rename, fsync of the folder."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("w", encoding="ascii") as file:
            file.write(f"{boot}\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigError(f"{path}: boot counter cannot be persisted ({error})") from None
