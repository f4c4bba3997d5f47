"""A node that joins a running chain: its key, folder and configuration, and what the validators vote on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from salus_chain.errors import ConfigError
from salus_chain.founding import KEY_FILE, place_of, prepare_folder
from salus_chain.genesis import Validator, read_genesis
from salus_chain.keys import PemSigner
from salus_chain.node.validator import VALIDATOR_FILE, ValidatorConfig, write_validator


@dataclass(frozen=True, slots=True)
class Joining:
    """What `prepare_join` wrote, and the member that the sitting validators have to admit."""

    config: Path
    member: Validator


def prepare_join(folder: Path, genesis: Path, *, name: str, host: str, passphrase: bytes | None = None) -> Joining:
    """Make a new node's folder. It knows the genesis and nothing else; its key never leaves it.

    `host` is `host:port` for peers, with the next port for clients. Raises ConfigError when the folder is in use, or
    a name or address is that of a member of the genesis.
    """
    config = folder / VALIDATOR_FILE
    if config.exists():
        raise ConfigError(f"{config}: a node was made here already; choose another folder")
    founded, place = read_genesis(genesis), place_of(host)
    for member in founded.validators:
        if name == member.name or place.peer == member.peer:
            raise ConfigError(f"{genesis}: {member.name} at {member.peer} is a member already; choose another")
    settings = ValidatorConfig(
        name=name,
        listen_peer=place.listen_peer or place.peer,
        listen_http=place.listen_http or place.url.partition("//")[2],
    )
    signer = PemSigner.generate(folder / KEY_FILE, passphrase)
    shutil.copyfile(genesis, folder / settings.genesis)
    prepare_folder(folder / settings.folder, founded)
    write_validator(config, settings)
    return Joining(config, Validator(name, signer.public_key, place.peer, place.url))
