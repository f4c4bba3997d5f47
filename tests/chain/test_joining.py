from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from salus_chain.cli import app
from salus_chain.errors import ConfigError
from salus_chain.founding import init_chain
from salus_chain.genesis import read_genesis
from salus_chain.joining import prepare_join
from salus_chain.node.process import load_node


def test_a_new_node_has_a_folder_that_runs_and_a_member_to_vote_on(tmp_path: Path) -> None:
    founded = init_chain(tmp_path / "federation")
    made = prepare_join(tmp_path / "new", founded.genesis_path, name="hospital-4", host="127.0.0.1:7700")
    assert (made.member.name, made.member.peer, made.member.url) == (
        "hospital-4", "127.0.0.1:7700", "https://127.0.0.1:7701",
    )  # fmt: skip
    assert made.member.public_key not in founded.genesis.keys
    assert read_genesis(made.config.with_name("genesis.toml")).chain_id == founded.genesis.chain_id
    assert made.config.with_name("key.pem").stat().st_mode & 0o077 == 0


async def test_its_node_starts_as_one_without_a_seat(tmp_path: Path) -> None:
    founded = init_chain(tmp_path / "federation")
    made = prepare_join(tmp_path / "new", founded.genesis_path, name="hospital-4", host="127.0.0.1:7700")
    node = load_node(made.config)
    assert node.ledger.seat is None and node.ledger.state.height == 0
    node.store.close()


@pytest.mark.parametrize(
    ("name", "host", "match"),
    [
        ("hospital-0", "127.0.0.1:7700", "is a member already"),
        ("hospital-4", "127.0.0.1:7600", "is a member already"),
        ("hospital-4", "nowhere", "not host:port"),
    ],
)
def test_a_name_or_address_in_use_is_refused(tmp_path: Path, name: str, host: str, match: str) -> None:
    founded = init_chain(tmp_path / "federation")
    with pytest.raises(ConfigError, match=match):
        prepare_join(tmp_path / "new", founded.genesis_path, name=name, host=host)
    assert not (tmp_path / "new").exists()


def test_a_folder_is_used_once(tmp_path: Path) -> None:
    founded = init_chain(tmp_path / "federation")
    prepare_join(tmp_path / "new", founded.genesis_path, name="hospital-4", host="127.0.0.1:7700")
    key = (tmp_path / "new" / "key.pem").read_bytes()
    with pytest.raises(ConfigError, match="was made here already"):
        prepare_join(tmp_path / "new", founded.genesis_path, name="hospital-5", host="127.0.0.1:7702")
    assert (tmp_path / "new" / "key.pem").read_bytes() == key


def test_the_command_says_what_is_voted_on(tmp_path: Path) -> None:
    founded = init_chain(tmp_path / "federation")
    arguments = ["--genesis", str(founded.genesis_path), "--name", "hospital-4", "--host", "salus.example:7700"]
    done = CliRunner().invoke(app, ["join", str(tmp_path / "new"), *arguments])
    assert done.exit_code == 0
    assert "propose admit hospital-4 --public-key 0" in done.output
    assert "--peer salus.example:7700 --url https://salus.example:7701" in done.output
