from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.errors import DecodeError
from salus_chain.genesis import Validator
from salus_chain.rules.restore import state_of
from salus_chain.rules.state import (
    Attestation,
    ConsentEntry,
    Row,
    Standing,
    State,
    Table,
    count_nonce,
    entries,
    entry_key,
    entry_value,
    sealed,
    state_root,
    write,
)
from tests.chain.federation import TASK, federation, signer

FEDERATION = federation()
STATE = FEDERATION.closed()


def variants() -> dict[Table, State]:
    """One entry of each table changed."""
    task, each = STATE.tasks[TASK], STATE.rounds[TASK]
    gateway = STATE.gateways["gateway-0"]
    consent = ConsentEntry(bytes(32), bytes(32), gateway.validator, withdrawn=False)
    rows: list[Row] = [
        (Table.NONCES, gateway.public_key, 99),
        (Table.GATEWAYS, "gateway-0", replace(gateway, revoked=True)),
        (Table.KEYS, gateway.public_key, "gateway-1"),
        (Table.CONSENTS, bytes(32), consent),
        (Table.ATTESTATIONS, "gateway-0", Attestation("gateway-0", 700, bytes(32), 3)),
        (Table.STANDINGS, gateway.validator, Standing(gateway.validator, 0, 5)),
        (Table.TASKS, TASK, replace(task, model_digest=bytes(32))),
        (Table.ROUNDS, TASK, replace(each, commits=each.commits[:2])),
        (Table.ROSTER, b"", replace(STATE.roster, sequence=1)),
    ]
    return {row[0]: sealed(write(STATE, row)) for row in rows}


@pytest.mark.parametrize("table", list(Table))
def test_the_root_covers_every_table(table: Table) -> None:
    assert state_root(variants()[table]) != state_root(STATE)


def test_the_root_covers_every_field_of_who_takes_part() -> None:
    roster, key = STATE.roster, signer(55).public_key
    stranger = Validator("stranger", key, "127.0.0.1:1", "http://127.0.0.1:2")
    changed = [
        replace(roster, members=(*roster.members, stranger)),
        replace(roster, validators=roster.validators[:3]),
        replace(roster, next_validators=roster.validators[:3]),
        replace(roster, coordinators=(key,)),
        replace(roster, sequence=1),
    ]
    roots = {state_root(sealed(write(STATE, (Table.ROSTER, b"", each)))) for each in [roster, *changed]}
    assert len(roots) == len(changed) + 1


def test_the_root_does_not_depend_on_the_order_of_entries() -> None:
    rows: list[Row] = [(Table.NONCES, bytes([n]) * 33, n) for n in range(9)]
    assert state_root(sealed(write(STATE, *rows))) == state_root(sealed(write(STATE, *rows[::-1])))


def test_the_root_that_grew_with_blocks_is_that_of_the_whole_state() -> None:
    rows = sorted(entries(STATE))
    again = state_of(STATE.genesis, STATE.height, STATE.time_ms, STATE.parent, rows)
    assert again == STATE and state_root(again) == state_root(STATE)


@pytest.mark.parametrize("wrong", [(bytes([66]) * 3, b""), (entry_key(Table.TASKS, "a"), b"\x00"), (b"", b"")])
def test_a_row_that_is_no_entry_is_refused(wrong: tuple[bytes, bytes]) -> None:
    with pytest.raises(DecodeError):
        state_of(STATE.genesis, 1, 1, bytes(32), [*entries(STATE), wrong])


def test_a_state_without_a_roster_or_with_a_seat_that_is_no_members_is_refused() -> None:
    with pytest.raises(DecodeError, match="roster"):
        state_of(STATE.genesis, 1, 1, bytes(32), [])
    second = entry_key(Table.ROSTER, b"x"), entry_value(STATE.roster)
    with pytest.raises(DecodeError, match="one roster"):
        state_of(STATE.genesis, 1, 1, bytes(32), [*entries(STATE), second])
    roster = replace(STATE.roster, members=STATE.roster.members[:3])
    row = entry_key(Table.ROSTER, b""), entry_value(roster)
    with pytest.raises(DecodeError, match="no member's"):
        state_of(STATE.genesis, 1, 1, bytes(32), [row])


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_arbitrary_bytes_are_no_entry(key: bytes, value: bytes) -> None:
    with pytest.raises(DecodeError):
        state_of(STATE.genesis, 1, 1, bytes(32), [*entries(STATE), (key, value)])


def test_counting_a_nonce_never_changes_the_state_before() -> None:
    before = federation().enrolled()
    sender = federation().validators[0].public_key
    again = count_nonce(before, before, sender, 77)
    assert again is not before and again.nonces[sender] == 77 != before.nonces.get(sender)
    fresh = write(before, (Table.NONCES, sender, 5))
    after = count_nonce(before, fresh, sender, 78)
    assert after is fresh and after.nonces[sender] == 78 and before.nonces.get(sender) not in (5, 77, 78)
