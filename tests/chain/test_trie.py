from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain import trie
from salus_chain.trie import EMPTY, Proof

# keys that share long prefixes are as good as any others here
keys = st.one_of(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 40).map(lambda number: number.to_bytes(32, "big")),
    st.integers(0, 40).map(lambda number: number.to_bytes(1, "big") + bytes(31)),
)
values = st.integers(0, 5).map(lambda number: sha256(bytes([number])).digest())
tables = st.dictionaries(keys, values, max_size=30)


def independent_root(entries: dict[bytes, bytes], depth: int = 0) -> bytes:
    """The definition, written as it reads."""
    if not entries:
        return EMPTY
    if len(entries) == 1:
        [(key, value)] = entries.items()
        return sha256(b"\0" + key + value).digest()
    sides: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
    for key, value in entries.items():
        sides[int.from_bytes(key, "big") >> (255 - depth) & 1][key] = value
    return sha256(b"\1" + b"".join(independent_root(side, depth + 1) for side in sides)).digest()


@given(tables)
def test_the_root_is_the_definitions(entries: dict[bytes, bytes]) -> None:
    assert trie.root(trie.update(None, entries)) == independent_root(entries)


@given(tables, st.dictionaries(keys, st.none() | values, max_size=30))
def test_the_root_depends_on_the_entries_and_not_on_their_history(
    before: dict[bytes, bytes], changes: dict[bytes, bytes | None]
) -> None:
    old = trie.update(None, before)
    after = {key: value for key, value in {**before, **changes}.items() if value is not None}
    assert trie.root(trie.update(old, changes)) == independent_root(after)
    one_by_one = old
    for key, value in changes.items():
        one_by_one = trie.update(one_by_one, {key: value})
    assert trie.root(one_by_one) == independent_root(after)
    assert trie.root(old) == independent_root(before)


@given(tables, keys, values)
def test_what_is_there_and_what_is_not_has_a_proof_and_the_contrary_has_none(
    entries: dict[bytes, bytes], key: bytes, other: bytes
) -> None:
    node = trie.update(None, entries)
    for asked in [key, *entries]:
        value, proof = entries.get(asked), trie.prove(node, asked)
        assert trie.get(node, asked) == value
        assert trie.verify(trie.root(node), asked, value, proof)
        for wrong in {None, other} - {value}:
            assert not trie.verify(trie.root(node), asked, wrong, proof)
        if proof.siblings:
            assert not trie.verify(trie.root(node), asked, value, replace(proof, siblings=proof.siblings[1:]))
            assert not trie.verify(trie.root(node), asked, value, replace(proof, siblings=proof.siblings[:-1]))
        assert not trie.verify(trie.root(node), asked, value, replace(proof, siblings=(*proof.siblings, bytes(32))))


def test_another_leaf_proves_absence_only_on_the_keys_own_path() -> None:
    low, high = bytes(32), b"\xff" * 32
    node = trie.update(None, {low: low, high: high})
    asked = b"\x80" + bytes(31)
    proof = trie.prove(node, asked)
    assert proof.other == (high, high) and trie.verify(trie.root(node), asked, None, proof)
    forged = Proof((trie.root(trie.update(None, {high: high})),), (low, low))
    assert not trie.verify(trie.root(node), asked, None, forged)
    assert not trie.verify(trie.root(node), high, None, proof)


@pytest.mark.parametrize("wrong", [Proof((EMPTY,) * 257), Proof((), (b"short", EMPTY))])
def test_a_proof_of_no_possible_shape_is_refused(wrong: Proof) -> None:
    assert not trie.verify(EMPTY, bytes(32), None, wrong)
    assert not trie.verify(EMPTY, b"short", None, Proof(()))
