"""Carrying a release to each wearable, pure: offer, then chunks as the wearable asks for them, again after
each reconnect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from salus_edge.link.release_sender import Transfer, next_messages, version
from salus_edge.proto.link_pb2 import ReleaseStatus, State

PATIENCE_MS: Final = 5_000  # without a word from an online wearable, the offer is made again
LONGEST_MS: Final = 120_000


@dataclass(frozen=True, slots=True)
class Peer:
    """One wearable as the relay sees it. `status` is what it last said of the transfer under way, None
    before.
    """

    online: bool = False
    version: int = 0
    status: ReleaseStatus | None = None
    refused: int = 0  # the highest version that it refused since it came online
    asked_ms: int = 0
    pause_ms: int = PATIENCE_MS


@dataclass(frozen=True, slots=True)
class Step:
    """The wearable from now on, and the serialised ReleaseMessages to send it."""

    peer: Peer
    messages: tuple[bytes, ...] = ()


def on_state(peer: Peer, state: State, transfer: Transfer | None, now_ms: int, personal: bool = False) -> Step:
    """The wearable came online, or leaves. What it refused before, it is offered once more after a
    reconnect. `personal`: this is about its personal release, which counts its versions for itself.
    """
    version = state.personal_version if personal else state.model_version
    if state.link != State.ONLINE:
        return Step(replace(peer, online=False, version=version))
    return offer(Peer(online=True, version=version), transfer, now_ms)


def on_lost(peer: Peer) -> Peer:
    """The broker lost the wearable."""
    return replace(peer, online=False)


def on_status(peer: Peer, status: ReleaseStatus, transfer: Transfer | None, now_ms: int) -> Step:
    """What the wearable says of a release under way: the next chunks, or the end."""
    peer = replace(peer, online=True, status=status, asked_ms=now_ms, pause_ms=PATIENCE_MS)
    if status.progress == ReleaseStatus.ACTIVE:
        return offer(replace(peer, status=None, version=max(peer.version, status.version)), transfer, now_ms)
    if status.progress == ReleaseStatus.REFUSED:
        return Step(replace(peer, status=None, refused=max(peer.refused, status.version)))
    if transfer is None or status.version != version(transfer):
        return offer(replace(peer, status=None), transfer, now_ms)
    return Step(peer, next_messages(transfer, status))


def offer(peer: Peer, transfer: Transfer | None, now_ms: int) -> Step:
    """Offer a release that is newer than the wearable's, unless it refused it."""
    if transfer is None or not peer.online or version(transfer) <= max(peer.version, peer.refused):
        return Step(peer)
    return Step(replace(peer, status=None, asked_ms=now_ms), next_messages(transfer, None))


def on_time(peer: Peer, transfer: Transfer | None, now_ms: int) -> Step:
    """Offer again when an answer is overdue; each time the wait doubles."""
    if now_ms - peer.asked_ms < peer.pause_ms:
        return Step(peer)
    return offer(replace(peer, pause_ms=min(2 * peer.pause_ms, LONGEST_MS)), transfer, now_ms)
