"""One TOML file becomes one frozen struct, once, at the edge of a process; an unknown key is an error."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from salus_chain.errors import ConfigError


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every configuration section: frozen, named fields only, nothing unknown."""


T = TypeVar("T", bound=Config)


def load(path: Path, kind: type[T]) -> T:
    """Read a TOML file into `kind`. Paths inside stay as written: resolve them with `beside`.

    Raises ConfigError: the file is missing, is not TOML, lacks a key, has an unknown one or one of another
    type.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; name an existing configuration file") from None
    except (msgspec.ValidationError, msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}") from None


def beside(path: Path, name: str) -> Path:
    """Resolve `name` against the folder of the configuration file `path`; absolute names stay."""
    return (path.parent / name).resolve()
