"""The genesis: what all members of a federation agree on before the first block; its hash names the chain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import tomli_w

from salus_chain.codec import IDENTIFIER, Value, encode, fields, octets, text
from salus_chain.config import Config, load
from salus_chain.errors import ConfigError

MIN_UPDATES: Final = 3  # fewer would show a validator one hospital's update as good as alone
MAX_NAME_BYTES: Final = 64
MAX_ADDRESS_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Validator:
    """A hospital's seat: its name, 33-byte key, `host:port` for its peers, URL for clients."""

    name: str
    public_key: bytes
    peer: str
    url: str

    def value(self) -> Value:
        return (self.name.encode(), self.public_key, self.peer.encode(), self.url.encode())

    @classmethod
    def read(cls, value: Value) -> Validator:
        name, key, peer, url = fields(value, 4, "member")
        return cls(
            text(name, "name", MAX_NAME_BYTES),
            octets(key, "public_key", 33),
            text(peer, "peer", MAX_ADDRESS_BYTES),
            text(url, "url", MAX_ADDRESS_BYTES),
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """What a coordinator may ask for."""

    rules: tuple[str, ...] = ("mean", "clipped_mean", "median", "trimmed_mean", "multi_krum", "trust")
    min_updates: int = MIN_UPDATES
    max_gateways: int = 64  # of one hospital
    max_weight: int = 10_000  # W_max: patients of one gateway that may count in a round
    min_duration_ms: int = 1_000  # from a block's time to a deadline that is opened in it
    max_duration_ms: int = 7 * 24 * 3_600_000


@dataclass(frozen=True)
class Genesis:
    """The first state of a chain. `test` marks a federation that may go below the minimum of updates."""

    federation: str
    time_ms: int
    validators: tuple[Validator, ...]
    coordinators: tuple[bytes, ...]
    release_keys: tuple[bytes, ...]
    policy: Policy
    test: bool

    @cached_property
    def chain_id(self) -> bytes:
        return sha256(encode(self.value())).digest()

    @cached_property
    def keys(self) -> tuple[bytes, ...]:
        """The validators' public keys, in the order of their seats."""
        return tuple(validator.public_key for validator in self.validators)

    def value(self) -> Value:
        policy = self.policy
        return (
            b"salus/genesis/1",
            self.federation.encode(),
            self.time_ms,
            tuple(validator.value() for validator in self.validators),
            self.coordinators,
            self.release_keys,
            (
                tuple(rule.encode() for rule in policy.rules),
                policy.min_updates,
                policy.max_gateways,
                policy.max_weight,
                policy.min_duration_ms,
                policy.max_duration_ms,
            ),
            int(self.test),
        )


def quorum(seats: int) -> int:
    """How many of `seats` validators decide: ceil(2n/3), so that any two quorums share an honest one."""
    return -(-2 * seats // 3)


def faults(seats: int) -> int:
    """How many of `seats` validators may lie: f < n/3."""
    return (seats - 1) // 3


@lru_cache(maxsize=64)
def set_hash(keys: tuple[bytes, ...]) -> bytes:
    """What a signature names the validator set by."""
    return sha256(encode((b"salus/validators/1", keys))).digest()


class _Seat(Config, frozen=True):
    name: str
    public_key: str
    peer: str
    url: str


class _Policy(Config, frozen=True):
    rules: tuple[str, ...]
    min_updates: int
    max_gateways: int
    max_weight: int
    min_duration_ms: int
    max_duration_ms: int


class _Genesis(Config, frozen=True):
    federation: str
    time_ms: int
    test: bool
    coordinators: tuple[str, ...]
    release_keys: tuple[str, ...]
    policy: _Policy
    validators: tuple[_Seat, ...]


def read_genesis(path: Path) -> Genesis:
    """Read genesis.toml. Raises ConfigError naming the key that is wrong."""
    raw = load(path, _Genesis)
    policy = Policy(
        raw.policy.rules,
        raw.policy.min_updates,
        raw.policy.max_gateways,
        raw.policy.max_weight,
        raw.policy.min_duration_ms,
        raw.policy.max_duration_ms,
    )
    seats = tuple(
        Validator(v.name, key_from_hex(v.public_key, path, f"validators.{v.name}"), v.peer, v.url)
        for v in raw.validators
    )
    genesis = Genesis(
        raw.federation,
        raw.time_ms,
        seats,
        tuple(key_from_hex(key, path, "coordinators") for key in raw.coordinators),
        tuple(key_from_hex(key, path, "release_keys") for key in raw.release_keys),
        policy,
        raw.test,
    )
    check_genesis(genesis, str(path))
    return genesis


def write_genesis(path: Path, genesis: Genesis) -> None:
    """Write what `read_genesis` reads back to the same chain id."""
    policy = genesis.policy
    document = {
        "federation": genesis.federation,
        "time_ms": genesis.time_ms,
        "test": genesis.test,
        "coordinators": [key.hex() for key in genesis.coordinators],
        "release_keys": [key.hex() for key in genesis.release_keys],
        "policy": {
            "rules": list(policy.rules),
            "min_updates": policy.min_updates,
            "max_gateways": policy.max_gateways,
            "max_weight": policy.max_weight,
            "min_duration_ms": policy.min_duration_ms,
            "max_duration_ms": policy.max_duration_ms,
        },
        "validators": [
            {"name": v.name, "public_key": v.public_key.hex(), "peer": v.peer, "url": v.url} for v in genesis.validators
        ],
    }
    path.write_text(tomli_w.dumps(document))


def check_genesis(genesis: Genesis, where: str) -> None:
    """Raises ConfigError when such a federation cannot work, or could aggregate too few updates."""
    policy = genesis.policy
    keys, names = set(genesis.keys), {validator.name for validator in genesis.validators}
    if not genesis.validators or len(keys) != len(genesis.validators) or len(names) != len(keys):
        raise ConfigError(f"{where}: validators: at least one is needed, each with a name and key of its own")
    for each in genesis.validators:
        sizes = len(each.name.encode()), len(each.peer.encode()), len(each.url.encode())
        if not each.name or sizes[0] > MAX_NAME_BYTES or max(sizes[1:]) > MAX_ADDRESS_BYTES:
            raise ConfigError(
                f"{where}: validators: {each.name!r}: a name has 1 to {MAX_NAME_BYTES} bytes,"
                f" an address at most {MAX_ADDRESS_BYTES}"
            )
        check_url(each.url, f"{where}: validators: {each.name}: url", plain=genesis.test)
        split_address(each.peer)
    if not IDENTIFIER.fullmatch(genesis.federation):
        raise ConfigError(f"{where}: federation: {genesis.federation!r} is not a name of letters and digits")
    least = 1 if genesis.test else MIN_UPDATES
    if policy.min_updates < least:
        raise ConfigError(f"{where}: policy.min_updates: at least {least}, unless test = true")
    if not 0 < policy.min_duration_ms <= policy.max_duration_ms:
        raise ConfigError(f"{where}: policy: 0 < min_duration_ms <= max_duration_ms is wanted")
    if policy.max_gateways < 1 or not 0 < policy.max_weight < 1 << 32 or genesis.time_ms < 0:
        raise ConfigError(f"{where}: policy: max_gateways and max_weight are positive, max_weight below 2^32")


def split_address(address: str) -> tuple[str, int]:
    """`host:port` in two. Raises ConfigError."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise ConfigError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)


def check_url(url: str, where: str, *, plain: bool) -> None:
    """Raises ConfigError unless it is https://host:port. With `plain`, http:// to this machine will do, for tests."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port is not None
    except ValueError:
        usable = False
    if usable and parts.scheme == "http" and not (plain and is_loopback(parts.hostname or "")):
        raise ConfigError(f"{where}: {url}: only a test federation, and only on this machine, goes without https://")
    if not usable or parts.scheme not in ("https", "http"):
        raise ConfigError(f"{where}: {url!r} is not https://host:port")


def is_loopback(host: str) -> bool:
    """Whether this host can only be this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def key_from_hex(digits: str, path: Path, name: str) -> bytes:
    """33 bytes of a compressed public key. Raises ConfigError naming file and key."""
    try:
        data = bytes.fromhex(digits)
    except ValueError:
        data = b""
    if len(data) != 33 or data[0] not in (2, 3):
        raise ConfigError(f"{path}: {name}: {digits!r} is not a compressed P-256 public key of 66 hex digits")
    return data
