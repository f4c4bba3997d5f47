"""Opening key files that a passphrase protects: where a process finds the passphrase, in order.

1. the file that an option names; 2. the environment variable SALUS_PASSPHRASE; 3. `passphrase` among systemd's
credentials (LoadCredential=, $CREDENTIALS_DIRECTORY); 4. whoever sits at the terminal.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from getpass import getpass
from pathlib import Path
from typing import Final

from salus_chain.errors import ConfigError
from salus_chain.keys import PemSigner, is_encrypted

VARIABLE: Final = "SALUS_PASSPHRASE"
CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
CREDENTIAL: Final = "passphrase"


def open_key(
    path: Path,
    passphrase_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    ask: Callable[[str], str] | None = None,
) -> PemSigner:
    """Load a key file, with the passphrase where it has one. `ask` stands for the terminal.

    Raises ConfigError: as `PemSigner.load`; or it needs a passphrase and there is none, or the wrong one.
    """
    if not is_encrypted(path):
        return PemSigner.load(path)
    return PemSigner.load(path, _find(path, passphrase_file, environment, ask or _terminal()))


def read_passphrase(path: Path) -> bytes:
    """The first line of a file. Raises ConfigError when there is none, or others may read it."""
    try:
        others = path.stat().st_mode & 0o077
        line = path.read_bytes().partition(b"\n")[0].rstrip(b"\r")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; it should hold the passphrase in its first line") from None
    if others:
        raise ConfigError(f"{path}: others may read this passphrase; run chmod 600 {path}")
    if not line:
        raise ConfigError(f"{path}: the first line should hold the passphrase, and is empty")
    return line


def _find(path: Path, file: Path | None, environment: Mapping[str, str], ask: Callable[[str], str] | None) -> bytes:
    if file is not None:
        return read_passphrase(file)
    if environment.get(VARIABLE):
        return environment[VARIABLE].encode()
    credential = Path(environment.get(CREDENTIALS, "")) / CREDENTIAL
    if environment.get(CREDENTIALS) and credential.exists():
        return credential.read_bytes().partition(b"\n")[0].rstrip(b"\r")
    if ask is not None:
        return ask(f"Passphrase of {path}: ").encode()
    raise ConfigError(
        f"{path}: the key is protected by a passphrase; give it by --passphrase-file, by {VARIABLE} or as the systemd"
        f" credential `{CREDENTIAL}`"
    )


def _terminal() -> Callable[[str], str] | None:
    return getpass if sys.stdin.isatty() else None
