"""A persistent Merkle trie over 32-byte keys: the state's root, at a cost of the keys that a block touched.

Compact and sparse: a subtree with one leaf is that leaf, one without any is 32 zero bytes, so the root depends on
the entries alone and not on their history. Prefixes: 0x00 leaf (key, value digest), 0x01 node. A leaf binds its
whole key, so a path proves presence, and a path to nothing or to another leaf proves absence. Nothing is
changed in place: an old root stays valid beside a new one and shares what is alike.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple, TypeAlias

EMPTY: Final = bytes(32)
KEY_BITS: Final = 256
_new: Final = tuple.__new__  # of a NamedTuple: in half the time of its constructor


class Leaf(NamedTuple):
    """An entry: its digest in the tree, its key and its value's digest, 32 bytes each."""

    digest: bytes
    key: bytes
    value: bytes


class Branch(NamedTuple):
    """Two subtrees, at least two leaves: 0 bits of the key go left, 1 bits right."""

    digest: bytes
    left: Node
    right: Node


Node: TypeAlias = "Leaf | Branch | None"
Row: TypeAlias = "tuple[bytes, bytes | None]"  # key, and its value's digest; None removes it


@dataclass(frozen=True, slots=True)
class Proof:
    """A key's path: the siblings' digests from the root down, and the other leaf that stands there, if any."""

    siblings: tuple[bytes, ...]
    other: tuple[bytes, bytes] | None = None  # key, value digest


def root(node: Node) -> bytes:
    """The 32-byte root."""
    return EMPTY if node is None else node.digest


def update(node: Node, changes: Mapping[bytes, bytes | None]) -> Node:
    """The trie with these keys set to these value digests, or removed where None."""
    return _update(node, sorted(changes.items()), 0) if changes else node


def get(node: Node, key: bytes) -> bytes | None:
    """The value digest under a key."""
    depth = 0
    while isinstance(node, Branch):
        node, depth = (node.right if _bit(key, depth) else node.left), depth + 1
    return node.value if node is not None and node.key == key else None


def prove(node: Node, key: bytes) -> Proof:
    """The proof of what is, or is not, under a key."""
    siblings: list[bytes] = []
    while isinstance(node, Branch):
        here, beside = (node.right, node.left) if _bit(key, len(siblings)) else (node.left, node.right)
        siblings.append(root(beside))
        node = here
    other = (node.key, node.value) if node is not None and node.key != key else None
    return Proof(tuple(siblings), other)


def verify(expected_root: bytes, key: bytes, value: bytes | None, proof: Proof) -> bool:
    """Whether under this root `key` has the value digest `value`, or no entry where that is None."""
    depth = len(proof.siblings)
    if len(key) != 32 or depth > KEY_BITS or (value is not None and proof.other is not None):
        return False
    if value is not None:
        digest = _leaf(key, value).digest
    elif proof.other is None:
        digest = EMPTY
    else:
        other = proof.other[0]
        if len(other) != 32 or other == key or any(_bit(key, at) != _bit(other, at) for at in range(depth)):
            return False
        digest = _leaf(*proof.other).digest
    for at in range(depth - 1, -1, -1):
        pair = (proof.siblings[at], digest) if _bit(key, at) else (digest, proof.siblings[at])
        digest = sha256(b"\1" + pair[0] + pair[1]).digest()
    return digest == expected_root


def _bit(key: bytes, depth: int) -> int:
    return key[depth >> 3] >> (7 - (depth & 7)) & 1


def _leaf(key: bytes, value: bytes) -> Leaf:
    return _new(Leaf, (sha256(b"\0" + key + value).digest(), key, value))


def _update(node: Node, rows: list[Row], depth: int) -> Node:
    """`rows` are sorted by key and share their first `depth` bits with all keys below `node`."""
    if len(rows) == 1:
        return _put(node, rows[0], depth)
    if isinstance(node, Branch):
        at = _split(rows, depth)
        left = _update(node.left, rows[:at], depth + 1) if at else node.left
        right = _update(node.right, rows[at:], depth + 1) if at < len(rows) else node.right
        return _join(left, right)
    if node is not None and all(row[0] != node.key for row in rows):
        insort(rows, (node.key, node.value), key=_key)
    return _build([(key, value) for key, value in rows if value is not None], depth)


def _put(node: Node, row: Row, depth: int) -> Node:
    """As `_update`, of one row: most of the way down there is no more than that."""
    key, value = row
    path: list[tuple[Node, bool]] = []  # the other side, and whether it is the right one
    while isinstance(node, Branch):
        if key[depth >> 3] >> (7 - (depth & 7)) & 1:
            path.append((node.left, False))
            node = node.right
        else:
            path.append((node.right, True))
            node = node.left
        depth += 1
    here: Node
    if node is not None and node.key != key:
        both = sorted([(node.key, node.value), (key, value)]) if value is not None else [(node.key, node.value)]
        here = _build(both, depth)
    else:
        here = None if value is None else _leaf(key, value)
    for other, right in reversed(path):
        here = _join(here, other) if right else _join(other, here)
    return here


def _build(rows: Sequence[tuple[bytes, bytes]], depth: int) -> Node:
    if len(rows) < 2:
        return _leaf(*rows[0]) if rows else None
    at = _split(rows, depth)
    return _join(_build(rows[:at], depth + 1), _build(rows[at:], depth + 1))


def _split(rows: Sequence[Row] | Sequence[tuple[bytes, bytes]], depth: int) -> int:
    """Where the bit at `depth` turns from 0 to 1, in two rows or more."""
    byte, shift = depth >> 3, 7 - (depth & 7)
    if rows[0][0][byte] >> shift & 1:
        return 0
    if not rows[-1][0][byte] >> shift & 1:
        return len(rows)
    if len(rows) == 2:
        return 1
    return bisect_left(rows, 1, key=lambda row: row[0][byte] >> shift & 1)


def _join(left: Node, right: Node) -> Node:
    if left is not None and right is not None:
        return _new(Branch, (sha256(b"\1" + left[0] + right[0]).digest(), left, right))
    only = right if left is None else left
    if not isinstance(only, Branch):
        return only
    return Branch(sha256(b"\1" + root(left) + root(right)).digest(), left, right)


def _key(row: Row) -> bytes:
    return row[0]
