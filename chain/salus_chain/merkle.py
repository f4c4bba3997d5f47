"""Merkle trees in the shape of RFC 9162, with prefixes 0x00 leaf, 0x01 node, and 0x02 for the root.

The root also hashes the number of leaves: a proof's index and count are then as fixed as its path, and no
tree can be passed off as one of another size.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def root(leaves: Sequence[bytes]) -> bytes:
    """The 32-byte root over these leaves, in this order; there may be none."""
    return _seal(len(leaves), _tree([_leaf(leaf) for leaf in leaves]))


def prove(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The siblings of leaf `index`, from the leaf up. Raises IndexError when there is no such leaf."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} of {len(leaves)}")
    return tuple(_path([_leaf(leaf) for leaf in leaves], index))


def verify(expected_root: bytes, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bool:
    """Whether `leaf` is number `index` of `count` under `expected_root`."""
    if not 0 <= index < count < 1 << 64:
        return False
    tree = _climb(_leaf(leaf), index, count, list(path))
    return tree is not None and _seal(count, tree) == expected_root


def _leaf(data: bytes) -> bytes:
    return sha256(b"\0" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def _seal(count: int, tree: bytes) -> bytes:
    return sha256(b"\2" + count.to_bytes(8, "big") + tree).digest()


def _split(count: int) -> int:
    """The largest power of two below `count`, which is at least 2."""
    return 1 << ((count - 1).bit_length() - 1)


def _tree(level: list[bytes]) -> bytes:
    if not level:
        return b""
    while len(level) > 1:  # pairs from the left, an odd last one moves up: the same shape as splitting at `_split`
        paired = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
        level = paired + level[len(level) & ~1 :]
    return level[0]


def _path(hashes: list[bytes], index: int) -> list[bytes]:
    if len(hashes) == 1:
        return []
    at = _split(len(hashes))
    if index < at:
        return [*_path(hashes[:at], index), _tree(hashes[at:])]
    return [*_path(hashes[at:], index - at), _tree(hashes[:at])]


def _climb(node: bytes, index: int, count: int, path: list[bytes]) -> bytes | None:
    """The tree's hash that `path` leads to, or None when its length is not what the place demands."""
    if count == 1:
        return None if path else node
    if not path:
        return None
    sibling, at = path.pop(), _split(count)
    if index < at:
        below = _climb(node, index, at, path)
        return None if below is None else _node(below, sibling)
    below = _climb(node, index - at, count - at, path)
    return None if below is None else _node(sibling, below)
