from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from salus_chain.errors import ConfigError
from salus_chain.genesis import Genesis, check_genesis, faults, quorum, read_genesis, set_hash, write_genesis
from tests.chain.federation import federation, signer

GENESIS = federation().genesis
SEAT = GENESIS.validators[0]


def test_the_file_gives_the_same_chain_id_back(tmp_path: Path) -> None:
    write_genesis(tmp_path / "genesis.toml", GENESIS)
    assert read_genesis(tmp_path / "genesis.toml") == GENESIS
    assert read_genesis(tmp_path / "genesis.toml").chain_id == GENESIS.chain_id


@pytest.mark.parametrize(
    "other",
    [
        replace(GENESIS, federation="other"),
        replace(GENESIS, time_ms=2),
        replace(GENESIS, test=True),
        replace(GENESIS, validators=GENESIS.validators[:3]),
        replace(GENESIS, coordinators=()),
        replace(GENESIS, release_keys=GENESIS.coordinators),
        replace(GENESIS, policy=replace(GENESIS.policy, max_weight=5)),
        replace(GENESIS, policy=replace(GENESIS.policy, rules=("mean",))),
    ],
)
def test_everything_in_it_changes_the_chain_id(other: Genesis) -> None:
    assert other.chain_id != GENESIS.chain_id


def test_a_quorum_is_two_thirds_rounded_up() -> None:
    assert [quorum(n) for n in range(1, 11)] == [1, 2, 2, 3, 4, 4, 5, 6, 6, 7]
    assert [faults(n) for n in range(1, 11)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]
    for n in range(1, 50):
        assert 2 * quorum(n) - n > faults(n)  # two quorums share an honest validator
        assert quorum(n) <= n - faults(n)  # and the honest ones alone are a quorum


def test_the_order_of_seats_is_part_of_the_set() -> None:
    assert set_hash(GENESIS.keys) != set_hash(GENESIS.keys[::-1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"policy": replace(GENESIS.policy, min_updates=2)}, "min_updates"),
        ({"policy": replace(GENESIS.policy, min_duration_ms=0)}, "min_duration_ms"),
        ({"policy": replace(GENESIS.policy, max_weight=1 << 32)}, "max_weight"),
        ({"validators": ()}, "validators"),
        ({"validators": GENESIS.validators[:1] * 2}, "validators"),
        ({"federation": "0x!"}, "federation"),
        ({"validators": (replace(SEAT, url="http://127.0.0.1:1"),)}, "only a test federation"),
        ({"validators": (replace(SEAT, url="http://a.example:1"),), "test": True}, "only on this machine"),
        ({"validators": (replace(SEAT, url="https://a.example"),)}, "is not https://host:port"),
        ({"validators": (replace(SEAT, url="ftp://a.example:1"),)}, "is not https://host:port"),
        ({"validators": (replace(SEAT, url="https://a.example:x"),)}, "is not https://host:port"),
        ({"validators": (replace(SEAT, peer="a.example"),)}, "is not host:port"),
    ],
)
def test_a_federation_that_cannot_work_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_genesis(replace(GENESIS, **change), "here")  # type: ignore[arg-type]


def test_only_a_test_federation_may_aggregate_one_update() -> None:
    check_genesis(federation(test=True, min_updates=1).genesis, "here")


def test_an_unknown_key_and_a_bad_public_key_are_named(tmp_path: Path) -> None:
    path = tmp_path / "genesis.toml"
    write_genesis(path, GENESIS)
    path.write_text("surprise = 1\n" + path.read_text())
    with pytest.raises(ConfigError, match="surprise"):
        read_genesis(path)
    write_genesis(path, GENESIS)
    path.write_text(path.read_text().replace(signer(101).public_key.hex(), "zz"))
    with pytest.raises(ConfigError, match="coordinators"):
        read_genesis(path)


def test_a_test_federation_may_go_without_tls_on_this_machine() -> None:
    plain = replace(federation(test=True).genesis, validators=(replace(SEAT, url="http://127.0.0.1:1"),))
    check_genesis(plain, "here")
