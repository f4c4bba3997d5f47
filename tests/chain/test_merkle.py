from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salus_chain import merkle

leaf_lists = st.lists(st.binary(max_size=8), min_size=1, max_size=40)


def independent_root(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, written as it reads, sealed with the count."""

    def tree(part: list[bytes]) -> bytes:
        if len(part) == 1:
            return sha256(b"\0" + part[0]).digest()
        at = 1
        while at * 2 < len(part):
            at *= 2
        return sha256(b"\1" + tree(part[:at]) + tree(part[at:])).digest()

    return sha256(b"\2" + len(leaves).to_bytes(8, "big") + (tree(leaves) if leaves else b"")).digest()


@given(st.lists(st.binary(max_size=8), max_size=40))
def test_the_root_is_rfc_9162s_with_the_count(leaves: list[bytes]) -> None:
    assert merkle.root(leaves) == independent_root(leaves)


@given(leaf_lists, st.data())
def test_every_leaf_has_a_proof_for_its_own_place_only(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    root, path = merkle.root(leaves), merkle.prove(leaves, index)
    assert merkle.verify(root, leaves[index], index, len(leaves), path)
    for other in range(-1, len(leaves) + 2):
        assert not merkle.verify(root, leaves[index] + b"x", other, len(leaves), path)
        if other != len(leaves):
            assert not merkle.verify(root, leaves[index], index, other, path)
        if other != index and leaves.count(leaves[index]) == 1:
            assert not merkle.verify(root, leaves[index], other, len(leaves), path)
    assert not merkle.verify(root, leaves[index], index, len(leaves), (*path, bytes(32)))
    if path:
        assert not merkle.verify(root, leaves[index], index, len(leaves), path[:-1])


def test_a_node_cannot_pass_for_a_leaf() -> None:
    inner = sha256(b"\0a").digest() + sha256(b"\0b").digest()
    assert merkle.root([b"a", b"b"]) != merkle.root([inner])


def test_there_is_no_proof_of_a_leaf_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        merkle.prove([b"a"], 1)
