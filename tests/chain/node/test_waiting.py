"""The line of transactions against a plain list that is searched anew each time."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from salus_chain.node.pool import waiting as module
from salus_chain.node.pool.waiting import Lane, Waiting, lane_of
from salus_chain.rules.transactions import Consent, Kind, Transaction, TxId, Withdraw

SENDERS = [bytes([number]) * 33 for number in range(3)]


def tx(sender: bytes, nonce: int, urgent: bool, size: int) -> Transaction:
    body = Withdraw(bytes(32)) if urgent else Consent(bytes(32), bytes(32))
    kind = Kind.WITHDRAW if urgent else Kind.CONSENT
    data = sender + bytes([nonce]) + bytes(size)
    return Transaction(bytes(32), kind, sender, nonce, body, b"", (), data, TxId(sha256(data).digest()))


Step = tuple[int, bool, int]
STEPS = st.lists(st.tuples(st.integers(-3, 2), st.booleans(), st.integers(0, 3)), max_size=30)


@given(STEPS)
def test_who_holds_most_is_who_a_search_finds(steps: list[Step]) -> None:
    """A negative number takes a sender's newest out."""
    line, plain = Waiting(), {sender: list[Transaction]() for sender in SENDERS}
    for who, urgent, size in steps:
        sender = SENDERS[who]
        if who >= 0:
            made = tx(sender, len(plain[sender]), urgent, size)
            line.append(made.id, made)
            plain[sender].append(made)
        elif plain[sender]:
            assert line.forget_last(sender) == (plain[sender][-1].id, plain[sender].pop())
        held = {each: sum(len(one.data) for one in own) for each, own in plain.items()}
        assert line.size_bytes == sum(held.values())
        assert {each: line.held(each) for each in SENDERS} == held
        for lane in Lane:
            last = [each for each, own in plain.items() if own and lane_of(own[-1].kind) is lane]
            heaviest = line.heaviest(lane)
            assert (heaviest is None) == (not last)
            assert heaviest is None or (heaviest in last and held[heaviest] == max(held[each] for each in last))


@given(STEPS, st.integers(0, 40), st.integers(0, 2_000))
def test_a_proposal_is_a_beginning_of_the_whole_order(steps: list[Step], most: int, most_bytes: int) -> None:
    line, nonces = Waiting(), dict.fromkeys(SENDERS, 0)
    for who, urgent, size in steps:
        made = tx(SENDERS[who], nonces[SENDERS[who]], urgent, size)
        nonces[SENDERS[who]] += 1
        line.append(made.id, made)
    whole, part = line.first(1_000, 1 << 20), line.first(most, most_bytes)
    assert sorted(each.id for each in whole) == sorted(line.arrived)
    assert part == whole[: len(part)] and len(part) <= most and sum(len(each.data) for each in part) <= most_bytes
    last_urgent = {each.sender: each.nonce for each in whole if lane_of(each.kind) is Lane.URGENT}
    ranks = [each.nonce > last_urgent.get(each.sender, -1) for each in whole]
    assert ranks == sorted(ranks)  # all that is urgent, or before something urgent of its sender, comes first


def test_the_heap_does_not_grow_without_end() -> None:
    line = Waiting()
    assert line.heaviest(Lane.COMMON) is None  # from now on there are heaps
    for _ in range(3 * module.STALE_ENTRIES):
        made = tx(SENDERS[0], 0, False, 0)
        line.append(made.id, made)
        line.forget_last(SENDERS[0])
    assert max(map(len, line._heaps)) <= module.STALE_ENTRIES + 5


def test_what_became_final_is_gone_from_the_count() -> None:
    line = Waiting()
    made = tx(SENDERS[0], 0, False, 0)
    line.append(made.id, made)
    line.finished(made.id)
    line.finished(TxId(bytes(32)))
    assert not line.arrived and line.size_bytes == 0
