"""`salus chain proof` and `verify`: every kind, from the wire to the exit code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from salus_chain.cli import app
from salus_chain.client import ChainClient
from salus_chain.errors import DecodeError, ProofError, Rejected
from salus_chain.genesis import write_genesis
from salus_chain.light.proofs import Proof, ProofKind
from tests.chain.light.trail import PROOFS, F

RUN = CliRunner()
ARGUMENTS: dict[ProofKind, tuple[list[str], dict[str, str]]] = {
    ProofKind.SETTLEMENT: (["activity", "1"], {"task": "activity", "round": "1"}),
    ProofKind.UPDATE: (["activity", "1", "gateway-2"], {"task": "activity", "round": "1", "gateway": "gateway-2"}),
    ProofKind.RELEASE: (["activity"], {"task": "activity"}),
    ProofKind.MODEL: (["activity"], {"task": "activity"}),
    ProofKind.WITHDRAWAL: (["ab" * 32], {"consent": "ab" * 32}),
    ProofKind.MEMBERS: ([], {}),
}


@pytest.fixture
def genesis(tmp_path: Path) -> Path:
    write_genesis(tmp_path / "genesis.toml", F.genesis)
    return tmp_path / "genesis.toml"


def serve(monkeypatch: pytest.MonkeyPatch, answers: dict[str, bytes]) -> list[dict[str, str]]:
    """Validators that give these proofs by kind; what they were asked."""
    asked: list[dict[str, str]] = []

    async def ask(self: ChainClient, url: str, path: str, query: dict[str, str], **_: object) -> httpx.Response:
        asked.append(dict(query))
        data = answers.get(path.removeprefix("/proofs/"))
        return httpx.Response(404) if data is None else httpx.Response(200, content=data)

    monkeypatch.setattr(ChainClient, "_ask", ask)
    return asked


@pytest.mark.parametrize("kind", ProofKind)
def test_a_proof_is_fetched_checked_written_and_holds(
    kind: ProofKind, genesis: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    arguments, query = ARGUMENTS[kind]
    asked = serve(monkeypatch, {str(each): data for each, data in PROOFS.items()})
    out = tmp_path / "p.cbor"
    fetched = RUN.invoke(app, ["proof", kind, *arguments, "--genesis", str(genesis), "--out", str(out)])
    assert fetched.exit_code == 0, fetched.output
    assert asked == [query] and out.read_bytes() == PROOFS[kind]
    verified = RUN.invoke(app, ["verify", str(out), "--genesis", str(genesis)])
    assert verified.exit_code == 0 and f"The {kind} proof holds." in verified.output


def test_a_proof_that_does_not_hold_is_not_written(
    genesis: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    serve(monkeypatch, {"release": PROOFS[ProofKind.RELEASE][:-1]})
    out = tmp_path / "p.cbor"
    command = ["proof", "release", "activity", "--genesis", str(genesis), "--out", str(out)]
    assert isinstance(RUN.invoke(app, command).exception, ProofError)
    serve(monkeypatch, {})
    refused = RUN.invoke(app, command).exception
    assert isinstance(refused, Rejected) and refused.code == "nothing_to_prove"
    assert not out.exists()


def test_verification_goes_on_from_a_saved_checkpoint(genesis: Path, tmp_path: Path) -> None:
    proof, short, saved = tmp_path / "p.cbor", tmp_path / "short.cbor", tmp_path / "checkpoint.cbor"
    proof.write_bytes(PROOFS[ProofKind.RELEASE])
    short.write_bytes(replace(Proof.decode(PROOFS[ProofKind.RELEASE]), changes=()).encode())
    options = ["--genesis", str(genesis)]
    assert RUN.invoke(app, ["verify", str(proof), *options, "--save", str(saved)]).exit_code == 0
    assert RUN.invoke(app, ["verify", str(short), *options]).exit_code == 1
    assert RUN.invoke(app, ["verify", str(short), *options, "--checkpoint", str(saved)]).exit_code == 0
    saved.write_bytes(b"nothing")
    refused = RUN.invoke(app, ["verify", str(short), *options, "--checkpoint", str(saved)])
    assert isinstance(refused.exception, DecodeError)


@pytest.mark.parametrize("kind", ProofKind)
def test_every_kind_has_help_with_an_example(kind: ProofKind) -> None:
    text = " ".join(RUN.invoke(app, ["proof", kind, "--help"]).output.split())
    assert f"Example: salus chain proof {kind}" in text
