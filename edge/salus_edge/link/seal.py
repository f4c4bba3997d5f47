"""Sealing: AES-256-GCM packets under one key per direction and device (firmware/proto/link.proto)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from google.protobuf.message import DecodeError

from salus_edge.errors import EdgeError, Refused
from salus_edge.proto import link_pb2

VERSION: Final = 1
SECRET_BYTES: Final = 32
TAG_BYTES: Final = 16
MAX_PACKET_BYTES: Final = 256 << 10  # the largest payload that either side opens
_MAX_BOOT: Final = (1 << 32) - 1
_MAX_SEQUENCE: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """The two 32-byte keys of one device's link: `up` for what the wearable says."""

    up: bytes
    down: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A packet as the broker sees it: `payload` is the serialised Packet."""

    boot: int
    sequence: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Opened:
    """A packet that proved genuine."""

    boot: int
    sequence: int
    plaintext: bytes


def derive_keys(secret: bytes, chain_id: bytes, device: str) -> LinkKeys:
    """HKDF-SHA-256 of the 32-byte secret: salt the chain id, info `salus/1 up ` (or down) + device."""
    if len(secret) != SECRET_BYTES:
        raise EdgeError(f"a link secret is {SECRET_BYTES} bytes, not {len(secret)}; enrol {device} again")
    keys = [
        HKDF(hashes.SHA256(), 32, salt=chain_id, info=direction + device.encode()).derive(secret)
        for direction in (b"salus/1 up ", b"salus/1 down ")
    ]
    return LinkKeys(*keys)


class Sealer:
    """Seals with one key in one boot; the sequence rises by 1 with every packet, so no nonce comes twice."""

    def __init__(self, key: bytes, boot: int, sequence: int = 0) -> None:
        self._cipher, self._key = AESGCM(key), key
        self.boot = boot
        self.sequence = sequence

    def seal(self, topic: str, plaintext: bytes) -> Sealed:
        """The next packet for `topic`. Raises Refused `too_large`, EdgeError: counters are used up."""
        boot, sequence = self.boot, self.sequence + 1
        if not 1 <= boot <= _MAX_BOOT or not 1 <= sequence <= _MAX_SEQUENCE:
            raise EdgeError(f"boot {boot}, sequence {sequence} cannot make a nonce; enrol the device again")
        ciphertext = self._cipher.encrypt(_nonce(boot, sequence), plaintext, _header(topic, boot, sequence))
        packet = link_pb2.Packet(version=VERSION, boot=boot, sequence=sequence, ciphertext=ciphertext)
        payload = packet.SerializeToString(deterministic=True)
        if len(payload) > MAX_PACKET_BYTES:
            raise Refused("too_large", f"{topic}: {len(payload)} bytes; at most {MAX_PACKET_BYTES}")
        self.sequence = sequence
        return Sealed(boot, sequence, payload)


def open_packet(key: bytes, topic: str, payload: bytes) -> Opened:
    """Open a payload that came on `topic`.

    Raises Refused: `too_large`, `truncated` (cut short), `malformed` (no Packet), `wrong_version`,
    `wrong_key` (another key or topic, or changed on the way).
    """
    packet = _packet(topic, payload)
    boot, sequence = packet.boot, packet.sequence
    try:
        plaintext = AESGCM(key).decrypt(_nonce(boot, sequence), packet.ciphertext, _header(topic, boot, sequence))
    except InvalidTag:
        raise Refused("wrong_key", f"{topic}: packet {boot}/{sequence} is not sealed with this key") from None
    return Opened(boot, sequence, plaintext)


def _packet(topic: str, payload: bytes) -> link_pb2.Packet:
    if len(payload) > MAX_PACKET_BYTES:
        raise Refused("too_large", f"{topic}: {len(payload)} bytes; at most {MAX_PACKET_BYTES} are opened")
    try:
        packet = link_pb2.Packet.FromString(payload)
    except DecodeError:
        code = "truncated" if _cut_short(payload) else "malformed"
        raise Refused(code, f"{topic}: {len(payload)} bytes that are no whole Packet") from None
    if not payload:
        raise Refused("truncated", f"{topic}: an empty payload")
    if packet.version != VERSION:
        raise Refused("wrong_version", f"{topic}: packet version {packet.version}, not {VERSION}")
    if len(packet.ciphertext) < TAG_BYTES:
        raise Refused("truncated", f"{topic}: no tag in {len(packet.ciphertext)} bytes of ciphertext")
    if not packet.boot or not packet.sequence:
        raise Refused("malformed", f"{topic}: packet {packet.boot}/{packet.sequence}; both start at 1")
    return packet


def _cut_short(payload: bytes) -> bool:
    """Whether the first field, the version, is right as far as it goes, so that the fault lies further back."""
    return bytes([0x08, VERSION]).startswith(payload[:2])


def _nonce(boot: int, sequence: int) -> bytes:
    return struct.pack(">IQ", boot, sequence)


def _header(topic: str, boot: int, sequence: int) -> bytes:
    return topic.encode() + struct.pack(">BBIQ", 0, VERSION, boot, sequence)
