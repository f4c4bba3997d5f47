"""Ballot files: what is signed is what the bytes say, and a quorum of them makes a transaction."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from salus_chain.ballots import Ballot, gathered, read_ballot, signed, transaction, write_ballot
from salus_chain.errors import ConfigError, Rejected
from salus_chain.genesis import Validator
from salus_chain.rules.transactions import Authorize, Change, Deauthorize, SetValidators, read_transaction
from tests.chain.federation import federation, signer

F = federation()
STATE = F.enrolled()
NEW = Validator("hospital-4", signer(50).public_key, "10.0.0.4:7600", "https://10.0.0.4:7601")
MOTION = SetValidators(1, Change.ADMIT, NEW)
BALLOT = Ballot(F.genesis.chain_id, F.genesis.keys, MOTION)


def test_a_ballot_that_a_quorum_signed_apart_is_a_transaction_of_the_chain(tmp_path: Path) -> None:
    copies = []
    for seat in (3, 0, 2):
        path = tmp_path / f"{seat}.json"
        write_ballot(path, signed(BALLOT, F.validators[seat]))
        copies.append(read_ballot(path, F.genesis))
    data = transaction(gathered(copies))
    after = F.apply(STATE, data)
    assert after.observers == (NEW,)
    assert [seal.seat for seal in read_transaction(data).seals] == [0, 2, 3]


@pytest.mark.parametrize(
    ("motion", "words"),
    [
        (MOTION, f"admit hospital-4, key {NEW.public_key.hex()}, peers at 10.0.0.4:7600"),
        (Authorize(3, signer(9).public_key), f"authorize coordinator {signer(9).public_key.hex()} (change 3)"),
        (Deauthorize(3, signer(9).public_key), "deauthorize coordinator"),
    ],
)
def test_a_ballot_says_what_it_asks_for_and_is_read_back(
    motion: SetValidators | Authorize | Deauthorize, words: str, tmp_path: Path
) -> None:
    ballot = signed(replace(BALLOT, motion=motion), F.validators[1])
    write_ballot(tmp_path / "ballot.json", ballot)
    assert read_ballot(tmp_path / "ballot.json", F.genesis) == ballot and ballot.words.startswith(words)


def test_too_few_signatures_strangers_and_other_motions_are_refused() -> None:
    two = signed(signed(BALLOT, F.validators[0]), F.validators[1])
    with pytest.raises(Rejected, match="no_quorum: 2 of 3 signatures"):
        transaction(two)
    with pytest.raises(Rejected, match="not_a_validator"):
        signed(BALLOT, signer(50))
    with pytest.raises(Rejected, match="other_motion"):
        gathered([two, replace(BALLOT, motion=replace(MOTION, sequence=2))])
    with pytest.raises(Rejected, match="other_motion"):
        gathered([two, replace(BALLOT, validators=F.genesis.keys[:3])])


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"chain": "00" * 32}, "of chain 0000000000000000"),
        ({"kind": "settle"}, "not a ballot"),
        ({"kind": "dance"}, "not a ballot"),
        ({"body": "00"}, "not a ballot"),
        ({"body": "zz"}, "not a ballot"),
        ({"validators": []}, "not a ballot"),
        ({"comment": "harmless"}, "not a ballot"),
        ({"signatures": {"02" * 33: "00" * 64}}, "does not verify"),
    ],
)
def test_a_ballot_that_was_changed_is_refused(change: dict[str, object], match: str, tmp_path: Path) -> None:
    path = tmp_path / "ballot.json"
    write_ballot(path, signed(BALLOT, F.validators[0]))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConfigError, match=match):
        read_ballot(path, F.genesis)


def test_a_signature_is_of_one_motion_alone(tmp_path: Path) -> None:
    ballot = signed(BALLOT, F.validators[0])
    other = replace(ballot, motion=replace(MOTION, change=Change.DISMISS))
    write_ballot(tmp_path / "ballot.json", other)
    with pytest.raises(ConfigError, match="does not verify"):
        read_ballot(tmp_path / "ballot.json", F.genesis)
    with pytest.raises(ConfigError, match="No such file"):
        read_ballot(tmp_path / "none.json", F.genesis)
