"""`salus chain validators`: a change proposed, signed offline, and put on chain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from salus_chain.cli import app
from salus_chain.errors import ConfigError, Rejected
from tests.chain.commands.alone import running
from tests.chain.federation import signer

NEW, COORDINATOR = signer(60).public_key.hex(), signer(61).public_key.hex()
ADMIT = ["--public-key", NEW, "--peer", "10.0.0.9:7600", "--url", "https://10.0.0.9:7601"]


@pytest.mark.system
def test_a_hospital_is_admitted_and_a_coordinator_authorized_by_ballots(tmp_path: Path) -> None:
    ballot = tmp_path / "ballot.json"
    with running(tmp_path) as one:
        listed = one.run("validators", "list")
        assert "decides    hospital-0" in listed.output and "1 decide by 1; 0 may fail or lie" in listed.output
        proposed = one.run("validators", "propose", "admit", "hospital-9", *ADMIT, "--out", str(ballot))
        assert proposed.exit_code == 0 and f"admit hospital-9, key {NEW}" in proposed.output
        again = one.run("validators", "propose", "admit", "hospital-9", *ADMIT, "--out", str(ballot))
        assert isinstance(again.exception, ConfigError)
        unsigned = one.run("validators", "submit", str(ballot))
        assert isinstance(unsigned.exception, Rejected) and unsigned.exception.code == "no_quorum"
        signed = one.run("validators", "sign", str(ballot), "--key", one.key)
        assert signed.exit_code == 0 and "1 of 1 signatures" in signed.output
        done = one.run("validators", "submit", str(ballot))
        assert done.exit_code == 0 and "is final at height" in done.output
        assert isinstance(one.run("validators", "submit", str(ballot)).exception, type(None))  # it is final already
        second = tmp_path / "second.json"
        one.run("validators", "propose", "authorize", COORDINATOR, "--out", str(second))
        one.run("validators", "sign", str(second), "--key", one.key)
        assert one.run("validators", "submit", str(second)).exit_code == 0
        fields = json.loads(one.run("validators", "list", "--json").output)
        assert [member["name"] for member in fields["members"]] == ["hospital-0", "hospital-9"]
        assert "0x" + COORDINATOR in fields["coordinators"] and fields["sequence"] == 2
        assert "observes   hospital-9" in one.run("validators", "list").output
        for wrong in (["dance", "hospital-0"], ["unseat", "nobody"], ["admit", "x", "--public-key", "00"]):
            assert one.run("validators", "propose", *wrong, "--out", str(tmp_path / "third.json")).exit_code == 2


@pytest.mark.parametrize("command", ["list", "propose", "sign", "submit"])
def test_every_one_has_help_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, ["validators", command, "--help"])
    assert result.exit_code == 0 and f"Example: salus chain validators {command}" in " ".join(result.output.split())
