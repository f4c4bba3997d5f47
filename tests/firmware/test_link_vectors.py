"""The shared vectors are what Python says today; GoogleTest holds the C++ to the same file."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from salus_edge.errors import Refused
from salus_edge.link.seal import open_packet
from tests.firmware import link_vectors


def _rows(kind: str) -> list[list[str]]:
    lines = link_vectors.PATH.read_text("ascii").splitlines()
    return [line.split()[1:] for line in lines if line.split()[0] == kind]


def test_the_file_is_current() -> None:
    stored, made = link_vectors.PATH.read_text("ascii").splitlines(), link_vectors.text().splitlines()
    assert len(stored) == len(made)
    for was, now in zip(stored, made, strict=True):
        if not now.startswith("decision "):
            assert was == now
            continue
        # exp may differ in a last bit between processors
        (*before, old), (*after, new) = was.split(), now.split()
        assert before == after
        assert _float(old) == pytest.approx(_float(new), rel=1e-6)


def test_what_is_sealed_there_opens_here() -> None:
    """GoogleTest asserts that the wearable's sealer makes these very bytes."""
    rows = _rows("packet")
    assert len(rows) > 40
    for key, boot, sequence, topic, plaintext, payload in rows:
        opened = open_packet(bytes.fromhex(key), topic, bytes.fromhex(payload))
        assert (opened.boot, opened.sequence) == (int(boot), int(sequence))
        assert opened.plaintext == (b"" if plaintext == "-" else bytes.fromhex(plaintext))


def test_every_refusal_of_a_packet_is_among_them() -> None:
    codes = {row[0] for row in _rows("open")}
    assert codes == {"ok", "truncated", "malformed", "wrong_version", "wrong_key"}
    with pytest.raises(Refused) as refused:
        open_packet(bytes(32), "t", bytes((256 << 10) + 1))
    assert refused.value.code == "too_large"


def test_halves_of_a_step_are_among_the_windows() -> None:
    """np.rint and std::nearbyint must agree where they round to even."""
    row = _rows("windows")[0]
    values = np.frombuffer(bytes.fromhex(row[7]), ">f4")
    steps = values.astype(np.float64) / np.float64(np.float32(np.abs(values).max() / 32767))
    assert (steps % 1 == 0.5).any()


def _float(digits: str) -> float:
    return float(struct.unpack(">f", bytes.fromhex(digits))[0])
