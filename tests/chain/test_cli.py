from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from salus_chain import passphrases
from salus_chain.cli import app
from salus_chain.errors import ConfigError, Damaged
from salus_chain.founding import init_chain
from salus_chain.genesis import read_genesis, write_genesis
from salus_chain.keys import PemSigner, is_encrypted
from salus_chain.node.process import load_node
from salus_chain.node.validator import GatewaySeat, ValidatorConfig, read_validator, write_validator
from tests.chain.federation import signer
from tests.chain.light.trail import PROOF, F
from tests.chain.ports import free_ports

RUN = CliRunner()


@pytest.mark.parametrize("command", ["init", "run", "status", "verify", "repair", "sync", "fuzz", "mutants"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = RUN.invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Example: salus chain {command}" in " ".join(result.output.split())


def test_init_makes_a_federation_ready_to_run_and_never_replaces_one(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["init", str(tmp_path / "fed"), "--validators", "7", "--base-port", "9100"])
    assert result.exit_code == 0, result.output
    genesis = read_genesis(tmp_path / "fed" / "genesis.toml")
    assert len(genesis.validators) == 7 and genesis.validators[6].url == "https://127.0.0.1:9113"
    assert genesis.chain_id.hex() in result.output and "2 may fail" in result.output
    config = read_validator(tmp_path / "fed" / "validator-3" / "validator.toml")
    assert (config.name, config.tasks) == ("hospital-3", ("*",))
    again = RUN.invoke(app, ["init", str(tmp_path / "fed")])
    assert isinstance(again.exception, ConfigError)


def test_verify_exits_0_for_a_proof_and_1_with_the_reason_for_a_damaged_one(tmp_path: Path) -> None:
    write_genesis(tmp_path / "genesis.toml", F.genesis)
    (tmp_path / "proof.cbor").write_bytes(PROOF)
    command = ["verify", str(tmp_path / "proof.cbor"), "--genesis", str(tmp_path / "genesis.toml")]
    result = RUN.invoke(app, command)
    assert result.exit_code == 0 and "The settlement proof holds." in result.output
    damaged = bytearray(PROOF)
    damaged[len(damaged) // 2] ^= 4
    (tmp_path / "proof.cbor").write_bytes(bytes(damaged))
    result = RUN.invoke(app, command)
    assert result.exit_code == 1 and "FAILED" in result.output and "holds" not in result.output
    (tmp_path / "proof.cbor").unlink()
    assert isinstance(RUN.invoke(app, command).exception, ConfigError)


def test_status_exits_1_when_nobody_answers(tmp_path: Path) -> None:
    founded = init_chain(tmp_path / "fed", base_port=9)
    result = RUN.invoke(app, ["status", "--genesis", str(founded.genesis_path)])
    assert result.exit_code == 1 and "0 of 4 validators answer" in result.output


def test_the_configuration_is_read_back_and_an_unknown_key_refused(tmp_path: Path) -> None:
    seat = GatewaySeat(id="gateway-1", public_key=signer(5).public_key.hex(), patients=2)
    config = ValidatorConfig(name="ward", tasks=("fall", "activity.*"), gateways=(seat,))
    path = tmp_path / "validator.toml"
    write_validator(path, config)
    assert read_validator(path) == config
    path.write_text(path.read_text().replace("patients = 2", "patients = 2\nbeds = 3"))
    with pytest.raises(ConfigError, match="beds"):
        read_validator(path)
    write_validator(path, ValidatorConfig(name="ward", gateways=(GatewaySeat(id="g", public_key="0", patients=1),)))
    with pytest.raises(ConfigError, match=r"gateways\.g\.public_key"):
        read_validator(path)


@pytest.mark.parametrize("seat_port", [0, 1])
def test_a_taken_port_is_named(tmp_path: Path, seat_port: int) -> None:
    ports = free_ports(2)
    founded = init_chain(tmp_path / "fed", validators=1, ports=ports)
    with socket.create_server(("127.0.0.1", ports[seat_port])):
        result = RUN.invoke(app, ["run", str(founded.validators[0])])
    assert isinstance(result.exception, ConfigError)
    assert f"127.0.0.1:{ports[seat_port]}: Address already in use" in str(result.exception)


async def test_a_validator_refuses_to_start_with_what_is_wrong(tmp_path: Path) -> None:
    founded = init_chain(tmp_path / "fed", base_port=9200)
    path = founded.validators[0]
    genesis = path.with_name("genesis.toml")
    text = genesis.read_text()
    assert text == founded.genesis_path.read_text()
    genesis.write_text(text.replace('federation = "salus"', 'federation = "other"'))
    with pytest.raises(ConfigError, match="belongs to chain"):
        load_node(path)
    genesis.write_text(text)
    (path.parent / "data" / "votes.log").unlink()
    with pytest.raises(Damaged, match="the vote log is gone"):
        load_node(path)
    path.write_text(path.read_text().replace("key.pem", "../keys/release.pem"))
    with pytest.raises(ConfigError, match="has no seat"):
        load_node(path)


def test_init_for_hosts_makes_a_folder_to_copy_to_each_machine(tmp_path: Path) -> None:
    hosts = [f"--host={name}.example:7600" for name in "abcd"] + ["--host", "[2001:db8::5]:7600"]
    result = RUN.invoke(app, ["init", str(tmp_path / "fed"), *hosts])
    assert result.exit_code == 0, result.output
    genesis = read_genesis(tmp_path / "fed" / "genesis.toml")
    assert [(each.peer, each.url) for each in genesis.validators[3:]] == [
        ("d.example:7600", "https://d.example:7601"),
        ("[2001:db8::5]:7600", "https://[2001:db8::5]:7601"),
    ]
    shutil.copytree(tmp_path / "fed" / "validator-3", tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "fed")
    config = read_validator(tmp_path / "elsewhere" / "validator.toml")
    assert (config.listen_peer, config.listen_http) == ("0.0.0.0:7600", "0.0.0.0:7601")
    assert read_genesis(tmp_path / "elsewhere" / "genesis.toml") == genesis
    assert PemSigner.load(tmp_path / "elsewhere" / "key.pem").public_key == genesis.keys[3]
    assert (tmp_path / "elsewhere" / "data" / "votes.log").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "a.example"], "not host:port"),
        (["--host", "a.example:65535"], "next port"),
        (["--host", "a.example:1", "--validators", "4"], "4 validators need as many hosts"),
    ],
)
def test_init_says_what_is_wrong_with_hosts(tmp_path: Path, options: list[str], message: str) -> None:
    result = RUN.invoke(app, ["init", str(tmp_path / "fed"), *options])
    assert isinstance(result.exception, ConfigError) and message in str(result.exception)


async def test_a_validator_with_a_passphrase_starts_only_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    command = ["init", str(tmp_path / "fed"), "--validators", "1", "--passphrase-file", str(secret)]
    assert RUN.invoke(app, command).exit_code == 0
    for key in (tmp_path / "fed").rglob("*.pem"):
        assert is_encrypted(key)
    folder = tmp_path / "fed" / "validator-0"
    monkeypatch.delenv(passphrases.VARIABLE, raising=False)
    with pytest.raises(ConfigError, match="--passphrase-file"):
        load_node(folder)
    monkeypatch.setenv(passphrases.VARIABLE, "wrong horse")
    with pytest.raises(ConfigError, match=r"key\.pem: wrong passphrase"):
        load_node(folder)
    node = load_node(folder, secret)
    assert node.ledger.identity.signer.public_key == node.genesis.keys[0]
    node.store.close()


def test_init_asks_for_a_passphrase_twice(tmp_path: Path) -> None:
    command = ["init", str(tmp_path / "fed"), "--validators", "1", "--passphrase"]
    assert RUN.invoke(app, command, input="one\nother\n").exit_code != 0
    assert RUN.invoke(app, command, input="one\none\n").exit_code == 0
    assert is_encrypted(tmp_path / "fed" / "keys" / "coordinator.pem")
