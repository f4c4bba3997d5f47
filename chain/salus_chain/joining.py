"""A node that joins a running chain: a key, a folder and a configuration, and what the validators vote on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from salus_chain.errors import ConfigError
from salus_chain.founding import prepare_folder
from salus_chain.genesis import Validator, read_genesis
from salus_chain.keys import PemSigner
from salus_chain.node.validator import ValidatorConfig, write_validator

CONFIG_FILE = "validator.toml"


@dataclass(frozen=True, slots=True)
class Joining:
    """What `prepare_join` wrote, and the member that the sitting validators have to admit."""

    config: Path
    member: Validator


def prepare_join(
    folder: Path, genesis: Path, *, name: str, peer: str, url: str, passphrase: bytes | None = None
) -> Joining:
    """Make a new node's folder: it knows the genesis and nothing else. Its key never leaves it.

    `peer` is `host:port` and `url` is `https://host:port`, by which the others reach it. Raises ConfigError when the
    folder is in use, or a name or address is another member's.
    """
    config = folder / CONFIG_FILE
    if config.exists():
        raise ConfigError(f"{config}: a node was made here already; choose another folder")
    founded = read_genesis(genesis)
    for member in founded.validators:
        if name == member.name or peer == member.peer:
            raise ConfigError(f"{genesis}: {member.name} at {member.peer} is a member already; choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(genesis, folder / "genesis.toml")
    signer = PemSigner.generate(folder / "key.pem", passphrase)
    prepare_folder(folder / "data", founded)
    write_validator(config, ValidatorConfig(name=name, listen_peer=peer, listen_http=url.partition("//")[2]))
    return Joining(config, Validator(name, signer.public_key, peer, url))
