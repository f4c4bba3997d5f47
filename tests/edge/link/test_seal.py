"""Sealed packets: what one side seals the other opens, and nothing else opens."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from salus_edge.errors import EdgeError, Refused
from salus_edge.link import Sealer, derive_keys, open_packet
from salus_edge.link.seal import MAX_PACKET_BYTES
from salus_edge.proto.link_pb2 import Packet

KEYS = derive_keys(bytes(32), b"chain", "w-1")
TOPIC = "salus/1/f/w-1/feature"


def code(key: bytes, topic: str, payload: bytes) -> str:
    with pytest.raises(Refused) as caught:
        open_packet(key, topic, payload)
    return caught.value.code


@given(st.binary(max_size=2000), st.integers(1, 2**32 - 1), st.integers(0, 2**64 - 2))
def test_what_is_sealed_opens(plaintext: bytes, boot: int, sequence: int) -> None:
    sealed = Sealer(KEYS.up, boot, sequence).seal(TOPIC, plaintext)
    opened = open_packet(KEYS.up, TOPIC, sealed.payload)
    assert (opened.boot, opened.sequence, opened.plaintext) == (boot, sequence + 1, plaintext)


def test_nonce_and_additional_data_are_those_of_the_schema() -> None:
    packet = Packet.FromString(Sealer(KEYS.up, 3, 6).seal(TOPIC, b"pulse").payload)
    nonce = bytes.fromhex("000000030000000000000007")
    data = TOPIC.encode() + b"\x00\x01" + nonce
    assert AESGCM(KEYS.up).decrypt(nonce, packet.ciphertext, data) == b"pulse"


def test_keys_of_direction_device_and_chain_all_differ() -> None:
    others = [derive_keys(bytes(32), b"other", "w-1"), derive_keys(bytes(32), b"chain", "w-2")]
    keys = [KEYS.up, KEYS.down, *(key for other in others for key in (other.up, other.down))]
    assert len(set(keys)) == len(keys) and {len(key) for key in keys} == {32}
    with pytest.raises(EdgeError, match="32 bytes"):
        derive_keys(b"short", b"chain", "w-1")


def test_sequences_never_repeat_in_a_boot() -> None:
    sealer = Sealer(KEYS.up, 1)
    assert [sealer.seal(TOPIC, b"").sequence for _ in range(3)] == [1, 2, 3]
    with pytest.raises(EdgeError, match="nonce"):
        Sealer(KEYS.up, 1, 2**64 - 1).seal(TOPIC, b"")
    with pytest.raises(EdgeError, match="nonce"):
        Sealer(KEYS.up, 0).seal(TOPIC, b"")


def test_another_key_or_topic_does_not_open() -> None:
    payload = Sealer(KEYS.up, 1).seal(TOPIC, b"pulse").payload
    assert code(KEYS.down, TOPIC, payload) == "wrong_key"
    assert code(KEYS.up, "salus/1/f/w-1/window", payload) == "wrong_key"
    assert code(KEYS.up, "salus/1/f/w-2/feature", payload) == "wrong_key"


@given(st.data())
def test_a_truncated_packet_never_opens(data: st.DataObject) -> None:
    payload = Sealer(KEYS.up, 1).seal(TOPIC, b"pulse" * 10).payload
    cut = data.draw(st.integers(0, len(payload) - 1))
    assert code(KEYS.up, TOPIC, payload[:cut]) in ("truncated", "malformed", "wrong_version")


@given(st.data())
def test_a_flipped_bit_never_opens(data: st.DataObject) -> None:
    payload = bytearray(Sealer(KEYS.up, 1).seal(TOPIC, b"pulse" * 10).payload)
    position = data.draw(st.integers(0, len(payload) - 1))
    payload[position] ^= 1 << data.draw(st.integers(0, 7))
    assert code(KEYS.up, TOPIC, bytes(payload)) in ("truncated", "malformed", "wrong_version", "wrong_key")


@given(st.binary(max_size=300))
def test_anything_at_all_is_refused_not_raised(payload: bytes) -> None:
    assert code(KEYS.up, TOPIC, payload)


def test_the_codes_of_a_bad_packet() -> None:
    good = Packet.FromString(Sealer(KEYS.up, 1).seal(TOPIC, b"").payload)
    other = Packet(version=2, boot=1, sequence=1, ciphertext=good.ciphertext)
    assert code(KEYS.up, TOPIC, other.SerializeToString()) == "wrong_version"
    bare = Packet(version=1, boot=1, sequence=1, ciphertext=b"short")
    assert code(KEYS.up, TOPIC, bare.SerializeToString()) == "truncated"
    zero = Packet(version=1, sequence=1, ciphertext=good.ciphertext)
    assert code(KEYS.up, TOPIC, zero.SerializeToString()) == "malformed"
    assert code(KEYS.up, TOPIC, bytes(MAX_PACKET_BYTES + 1)) == "too_large"
    with pytest.raises(Refused, match="too_large"):
        Sealer(KEYS.up, 1).seal(TOPIC, bytes(MAX_PACKET_BYTES))
