from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain.errors import DecodeError
from salus_chain.rules.state import ConsentEntry, State, decode_state, encode_state, state_root
from tests.chain.federation import TASK, federation

FEDERATION = federation()
STATE = FEDERATION.closed()


def test_a_snapshot_gives_the_state_back() -> None:
    again = decode_state(STATE.genesis, encode_state(STATE))
    assert again == STATE
    assert state_root(again) == state_root(STATE)


def variants() -> dict[str, State]:
    task, each = STATE.tasks[TASK], STATE.rounds[TASK]
    gateway = STATE.gateways["gateway-0"]
    consent = ConsentEntry(bytes(32), bytes(32), gateway.validator, withdrawn=False)
    return {
        "nonces": replace(STATE, nonces={**STATE.nonces, gateway.public_key: 99}),
        "gateways": replace(STATE, gateways={**STATE.gateways, "gateway-0": replace(gateway, revoked=True)}),
        "keys": replace(STATE, keys={}),
        "consents": replace(STATE, consents={bytes(32): consent}),
        "tasks": replace(STATE, tasks={TASK: replace(task, model_digest=bytes(32))}),
        "rounds": replace(STATE, rounds={TASK: replace(each, commits=each.commits[:2])}),
    }


@pytest.mark.parametrize("table", list(variants()))
def test_the_root_covers_every_table(table: str) -> None:
    assert state_root(variants()[table]) != state_root(STATE)


def test_the_root_does_not_depend_on_the_order_of_entries() -> None:
    backwards = dict(reversed(list(STATE.gateways.items())))
    assert state_root(replace(STATE, gateways=backwards)) == state_root(STATE)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_no_snapshot(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_state(STATE.genesis, data)
