"""The validators' network: TCP with mutual TLS 1.3 between all members of the chain, each known by its key.

Each member dials every other and speaks on whichever connection with it is the newest, its own or the other's. A
stranger fails the TLS handshake, for only members' keys are trusted (`tls`); inside it each says a Hello: protocol,
chain and key. Members come, move and go while the node runs. A peer that sends what no honest one does is cut off
and kept out, longer each time.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import Counter
from collections.abc import Mapping
from functools import partial
from random import Random
from typing import Final, Protocol

import structlog

from salus_chain.errors import ConfigError, DecodeError
from salus_chain.genesis import Validator, split_address
from salus_chain.keys import Signer
from salus_chain.node.network.link import COUNTED, Counters, Limits, Link
from salus_chain.node.network.wire import PROTOCOL, Bye, Frame, Hello, Sent, Txs, decode_frame, encode_frame
from salus_chain.tls import client_context, credentials, server_context

BACKOFF_FIRST_S: Final = 0.05
BACKOFF_MOST_S: Final = 2.0
STEADY_S: Final = 5.0  # a connection that held so long was worth dialling
STRANGERS: Final = 128  # connections that have not said who they are; the oldest gives way
BAN_FIRST_S: Final = 1.0
BAN_MOST_S: Final = 600.0
TEND_S: Final = 1.0
SHUTDOWN_S: Final = 1.0
BACKLOG: Final = 256

log = structlog.get_logger()


class Listener(Protocol):
    """Who gets what peers say: the node, or a list in tests."""

    def received(self, key: bytes, frame: Frame) -> None:
        """A frame came from the member with this key."""

    def connected(self, key: bytes) -> None:
        """This member can be reached (again)."""


class Peers:
    """The connections of one member to all others."""

    def __init__(
        self,
        chain_id: bytes,
        signer: Signer,
        listen: str,
        listener: Listener,
        rng: Random,
        limits: Limits | None = None,
    ) -> None:
        """`listen` is `host:port`. Made inside the event loop that runs it. Raises ConfigError."""
        self.reachable: set[bytes] = set()
        self._own = signer.public_key
        self._hello = Hello(PROTOCOL, chain_id, self._own)
        self._listen = split_address(listen)
        self._listener = listener
        self._rng = rng
        self._limits = limits or Limits()
        self._loop = asyncio.get_running_loop()
        self._fault: asyncio.Future[None] = self._loop.create_future()
        self._members: Mapping[bytes, Validator] = {}
        self._peers: dict[bytes, _Peer] = {}
        self._strangers: dict[asyncio.Task[None], None] = {}
        self._tasks: asyncio.TaskGroup | None = None
        self._credentials = credentials(signer)
        self._trust()

    def members(self, members: Mapping[bytes, Validator]) -> None:
        """Follow the chain: dial who is new or moved, drop who is no member any more. Cheap when nothing changed."""
        if members is self._members:
            return
        self._members = members
        addresses = {key: each.peer for key, each in members.items() if key != self._own}
        known = set(self._peers)
        for key in known - set(addresses):
            self._drop(self._peers.pop(key), "it is no member any more")
        for key, address in addresses.items():
            if key not in self._peers:
                self._peers[key] = _Peer(key, address)
                self._dial(self._peers[key])
            elif self._peers[key].address != address:
                self._peers[key].address = address
                self._dial(self._peers[key])
        if known != set(self._peers):
            self._trust()

    def send(self, to: bytes | None, frame: Sent) -> None:
        """Queue a frame for one member, or for all others when `to` is None; who cannot be reached gets none."""
        keys = self.reachable if to is None else self.reachable & {to}
        if keys:
            data, bulk = encode_frame(frame), isinstance(frame, Txs)
            for key in keys:
                self._peers[key].links[-1].send(data, bulk=bulk)

    def counters(self) -> dict[bytes, Counters]:
        """Of each member but oneself, by key."""
        return {key: peer.counters() for key, peer in self._peers.items()}

    async def run(self) -> None:
        """Listen and dial until cancelled. Raises ConfigError when the address cannot be listened on."""
        host, port = self._listen
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            server = socket.create_server((host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise ConfigError(f"cannot listen for peers on {host}:{port}: {reason}") from None
        server.setblocking(False)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._accept(server, self._tasks), name="peers listen")
                self._tasks.create_task(self._tend(), name="peers tend")
                for peer in self._peers.values():
                    self._dial(peer)
                await self._fault
        finally:
            self._tasks = None
            server.close()
            for peer in self._peers.values():
                for link in list(peer.links):
                    link.close("this validator stops")

    def _trust(self) -> None:
        """From now on, handshakes succeed with the present members alone."""
        self._server_tls = server_context(self._credentials, self._peers)
        self._client_tls = client_context(self._peers, self._credentials)

    def _drop(self, peer: _Peer, reason: str) -> None:
        if peer.dialling is not None:
            peer.dialling.cancel()
        for link in list(peer.links):
            link.close(reason, encode_frame(Bye(reason)))
        self.reachable.discard(peer.key)

    def _dial(self, peer: _Peer) -> None:
        """Begin, or begin anew after a change of address."""
        if peer.dialling is not None:
            peer.dialling.cancel()
            peer.dialling = None
        try:
            address = split_address(peer.address)
        except ConfigError as error:
            log.warning("peer cannot be dialled", peer=peer.name, reason=str(error))
            return
        if self._tasks is not None:
            peer.dialling = self._tasks.create_task(self._keep_dialling(peer, *address), name=f"dial {peer.name}")

    async def _keep_dialling(self, peer: _Peer, host: str, port: int) -> None:
        backoff_s = BACKOFF_FIRST_S
        while True:
            link = self._link(dialled=True)
            began_s = self._loop.time()
            try:
                async with asyncio.timeout(self._limits.handshake_s):
                    await self._loop.create_connection(
                        partial(_same, link),
                        host,
                        port,
                        ssl=self._client_tls,
                        ssl_shutdown_timeout=SHUTDOWN_S,
                    )
                    await self._greeting(link, peer.key)
                await asyncio.shield(link.ended)
            except (OSError, TimeoutError, DecodeError) as error:
                link.close(_reason(error))
            except asyncio.CancelledError:
                link.close("it is dialled no more")
                raise
            if self._loop.time() - began_s > STEADY_S:
                backoff_s = BACKOFF_FIRST_S
            banned_s = peer.banned_until_s - self._loop.time()
            await asyncio.sleep(max(banned_s, backoff_s * self._rng.uniform(0.5, 1.5)))
            backoff_s = min(2 * backoff_s, BACKOFF_MOST_S)

    async def _accept(self, server: socket.socket, tasks: asyncio.TaskGroup) -> None:
        while True:
            try:
                connection, _ = await self._loop.sock_accept(server)
            except OSError as error:  # out of file descriptors, or it was gone already
                log.warning("peer not accepted", reason=str(error))
                await asyncio.sleep(BACKOFF_FIRST_S)
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while len(self._strangers) >= STRANGERS:
                oldest = next(iter(self._strangers))
                del self._strangers[oldest]
                oldest.cancel()
            task = tasks.create_task(self._greet(connection), name="peer handshake")
            self._strangers[task] = None
            task.add_done_callback(lambda task: self._strangers.pop(task, None))
            await asyncio.sleep(0)  # it begins, and so owns its socket, before it may have to give way

    async def _greet(self, connection: socket.socket) -> None:
        """See a new connection through its handshake and hellos."""
        link = self._link(dialled=False)
        try:
            async with asyncio.timeout(self._limits.handshake_s):
                await self._loop.connect_accepted_socket(
                    partial(_same, link), connection, ssl=self._server_tls, ssl_shutdown_timeout=SHUTDOWN_S
                )
                await self._greeting(link, None)
        except (OSError, TimeoutError, DecodeError) as error:
            link.close(_reason(error))
            log.debug("stranger turned away", reason=_reason(error))
        except asyncio.CancelledError:
            link.close("it gave way to others that wait")
            raise

    async def _greeting(self, link: Link, wanted: bytes | None) -> None:
        """Until hellos were exchanged. Raises DecodeError: it ended before, or somebody else answered."""
        if wanted not in (None, link.member) and not link.ended.done():
            link.close(f"{_name(wanted or b'')} was dialled and {_name(link.member)} answered")
        await link.greeted.wait()
        if not link.open:
            raise DecodeError(link.ended.result())

    def _link(self, *, dialled: bool) -> Link:
        return Link(self._limits, self._made, self._heard, self._closed, dialled=dialled)

    def _made(self, link: Link) -> None:
        """TLS stands."""
        peer = self._peers.get(link.member)
        if peer is None:
            raise DecodeError(f"{_name(link.member)} is not a member of this chain")
        banned_s = peer.banned_until_s - self._loop.time()
        if banned_s > 0:
            reason = f"{peer.name} is kept out for another {banned_s:.0f} s, for what it sent"
            link.close(reason, encode_frame(Bye(reason)))
            return
        link.counts = peer.counts
        link.send(encode_frame(self._hello))

    def _heard(self, link: Link, data: bytes) -> None:
        frame = decode_frame(data)
        if isinstance(frame, Bye):
            link.close(f"the other side: {frame.reason}")
        elif not link.open:
            self._hear_hello(link, frame)
        elif isinstance(frame, Hello):
            raise DecodeError("a second hello")
        elif link.member in self._peers:
            self._tell(link.member, frame)

    def _hear_hello(self, link: Link, frame: Frame) -> None:
        if not isinstance(frame, Hello):
            raise DecodeError("the first message is not a hello")
        own = self._hello
        if frame.protocol != own.protocol:
            reason = f"one speaks {frame.protocol!r}, the other {own.protocol!r}"
        elif frame.chain_id != own.chain_id:
            reason = f"one is of chain {frame.chain_id.hex()[:16]}, the other of {own.chain_id.hex()[:16]}"
        elif frame.public_key != link.member:
            raise DecodeError(f"a hello of {_name(frame.public_key)} from {_name(link.member)}")
        else:
            self._opened(link, self._peers[link.member])
            return
        log.warning("peer dropped", peer=_name(link.member), reason=reason)
        link.close(reason, encode_frame(Bye(reason)))

    def _opened(self, link: Link, peer: _Peer) -> None:
        link.open = True
        link.greeted.set()
        peer.counts["connections"] += 1
        for old in [each for each in peer.links if each.dialled == link.dialled]:
            old.close("it connected anew")
        peer.links.append(link)
        if peer.key not in self.reachable:
            self.reachable.add(peer.key)
            log.info("peer", peer=peer.name)
            try:
                self._listener.connected(peer.key)
            except Exception as error:
                self._fail(error)

    def _closed(self, link: Link, reason: str) -> None:
        peer = self._peers.get(link.member)
        if peer is None:
            return
        if link.offended:
            self._ban(peer, reason)
        if link in peer.links:
            peer.links.remove(link)
            if not peer.links:
                self.reachable.discard(peer.key)
                log.info("peer lost", peer=peer.name, reason=reason)

    def _ban(self, peer: _Peer, reason: str) -> None:
        ban_s = min(BAN_FIRST_S * 2 ** peer.counts["offences"], BAN_MOST_S)
        peer.counts["offences"] += 1
        peer.banned_until_s = self._loop.time() + ban_s
        log.warning("peer cut off", peer=peer.name, reason=reason, ban_s=ban_s)
        for link in list(peer.links):
            link.close(reason)

    def _tell(self, key: bytes, frame: Frame) -> None:
        """A fault of the listener's own ends `run`; it is no reason to drop a peer and go on."""
        try:
            self._listener.received(key, frame)
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if not self._fault.done():
            self._fault.set_exception(error)

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_S)
            now_s = self._loop.time()
            for peer in list(self._peers.values()):
                for link in list(peer.links):
                    link.tend(now_s)


class _Peer:
    """Another member: where it is, and the connections with it, the newest last."""

    def __init__(self, key: bytes, address: str) -> None:
        self.key = key
        self.address = address
        self.name = _name(key)
        self.links: list[Link] = []
        self.dialling: asyncio.Task[None] | None = None
        self.banned_until_s = 0.0
        self.counts: Counter[str] = Counter()

    def counters(self) -> Counters:
        return Counters(*(self.counts[name] for name in COUNTED))


def _same(link: Link) -> Link:
    return link


def _name(key: bytes) -> str:
    return key.hex()[:12]


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it took too long"
    return error.reason if isinstance(error, ssl.SSLError) and error.reason else str(error)
