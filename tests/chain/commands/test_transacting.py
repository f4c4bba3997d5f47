"""`salus chain tx`: signed with a key file, submitted, final; or refused with code and reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from salus_chain.cli import app
from salus_chain.codec import encode
from salus_chain.errors import ConfigError, Rejected, Unreachable
from salus_chain.founding import init_chain
from salus_chain.keys import PemSigner
from salus_chain.rules.transactions import Evidence, Revoke, SignedVote, read_transaction, sign_transaction
from tests.chain.commands.alone import Alone, running
from tests.chain.federation import signer

A, B = "aa" * 32, "bb" * 32
KINDS = {
    "enrol": ["ward-7", signer(70).public_key.hex(), "4"],
    "revoke": ["ward-7"],
    "consent": [A, B, "--form", B, "--task", "fall", "--task", "activity"],
    "withdraw": [A],
    "attest": ["ward-7", "950", A],
}


@pytest.fixture
def offline(tmp_path: Path) -> Alone:
    """Nobody runs it."""
    return Alone(init_chain(tmp_path / "fed", validators=1, base_port=9))


@pytest.mark.system
def test_transactions_become_final_or_are_refused_with_code_and_reason(tmp_path: Path) -> None:
    with running(tmp_path) as one:
        for kind in KINDS:
            done = one.run("tx", kind, *KINDS[kind], "--key", one.key)
            wanted = "revoked_gateway" if kind == "attest" else "is final at height"
            assert wanted in done.output or wanted in str(done.exception), done.output
            assert (done.exit_code == 0) == (kind != "attest")
        again = one.run("tx", "consent", A, B, "--key", one.key)
        assert again.exit_code == 1 and isinstance(again.exception, Rejected)
        assert str(again.exception).startswith("consent_used: ")
        late = one.run("tx", "consent", B, B, "--key", one.key, "--nonce", "99", "--timeout-s", "0")
        assert late.exit_code == 1 and "not_final: consent" in late.output
        unknown = one.run("tx", "open-round", "fall", "head/kernel", "--norm-bound", "1", "--key", one.key)
        assert isinstance(unknown.exception, Rejected) and unknown.exception.code == "unknown_task"


@pytest.mark.parametrize("kind", KINDS)
def test_a_dry_run_shows_what_would_be_signed_and_needs_no_network(kind: str, offline: Alone) -> None:
    shown = offline.run("tx", kind, *KINDS[kind], "--key", offline.key, "--nonce", "7", "--dry-run")
    assert shown.exit_code == 0, shown.output
    fields = json.loads(shown.output)
    made = read_transaction(bytes.fromhex(fields["bytes"][2:]))
    assert (fields["kind"], fields["nonce"], fields["id"]) == (kind, 7, "0x" + made.id.hex())
    assert made.sender == PemSigner.load(Path(offline.key)).public_key


def test_evidence_and_ready_signed_transactions_come_from_files(offline: Alone, tmp_path: Path) -> None:
    vote = SignedVote(bytes(32), 2, 3, 0, -1, bytes(32), bytes(64))
    file = tmp_path / "evidence.cbor"
    file.write_bytes(encode(Evidence(signer(1).public_key, vote, vote).value()))
    shown = offline.run("tx", "evidence", str(file), "--dry-run")
    assert shown.exit_code == 0 and json.loads(shown.output)["body"]["first"]["height"] == 3
    signed = sign_transaction(offline.founded.genesis.chain_id, signer(1), 0, Revoke("ward-7"))
    file.write_bytes(signed)
    shown = offline.run("tx", "send", str(file), "--dry-run")
    assert json.loads(shown.output)["bytes"] == "0x" + signed.hex()
    assert isinstance(offline.run("tx", "send", str(tmp_path / "none")).exception, ConfigError)
    assert isinstance(offline.run("tx", "send", str(file)).exception, Unreachable)


@pytest.mark.parametrize(
    "arguments",
    [
        ["enrol", "ward-7", "02ab", "4"],
        ["consent", A, "zz"],
        ["attest", "ward-7", "1001", A],
        ["open-round", "fall", "head/kernel", "--norm-bound", "1", "--parameter", "epochs"],
    ],
)
def test_what_cannot_be_meant_is_named_before_anything_is_signed(arguments: list[str], offline: Alone) -> None:
    done = offline.run("tx", *arguments, "--key", offline.key, "--nonce", "0")
    assert done.exit_code == 2


@pytest.mark.parametrize("command", [*KINDS, "open-round", "evidence", "send"])
def test_every_one_has_help_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, ["tx", command, "--help"])
    assert result.exit_code == 0 and f"Example: salus chain tx {command}" in " ".join(result.output.split())
