"""One lasting MQTT connection: persistent session, QoS 1, reconnects by itself with jittered waits."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import aiomqtt
import structlog

from salus_edge.errors import EdgeError
from salus_edge.link.url import Broker, read_url

Handler = Callable[[str, bytes], Awaitable[None]]

KEEPALIVE_S: Final = 20
WAIT_S: Final = 10.0  # for CONNACK, SUBACK and PUBACK
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
IN_FLIGHT: Final = 64
PENDING_PUBLISHES: Final = 10_000  # aiomqtt warns above it; how many are open is the sender's affair
SUBACK_FAILURE: Final = 0x80  # MQTT 3.1.1, section 3.9.3

log = structlog.get_logger(__name__)


class NotConnected(EdgeError):
    """The broker did not confirm; whoever published keeps the packet and sends it again."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker says for this client when it is lost: retained, QoS 1."""

    topic: str
    payload: bytes


class Connection:
    """`run` keeps the connection up until cancelled; `publish` works whenever `connected` is set.

    The broker keeps the session of `client_id`, so what arrives while this side is away comes later.
    `on_connect` is awaited after each connect, beside the receiving of messages.
    """

    def __init__(
        self,
        url: str | Broker,
        client_id: str,
        subscriptions: Sequence[str],
        will: Will | None = None,
        on_connect: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._broker = url if isinstance(url, Broker) else read_url(url)
        self._tls = self._broker.context()
        self._client_id = client_id
        self._subscriptions = tuple(subscriptions)
        self._will = will
        self._on_connect = on_connect
        self._client: aiomqtt.Client | None = None
        self._sending: set[asyncio.Task[None]] = set()
        self.connected = asyncio.Event()

    async def run(self, handle: Handler) -> None:
        """Connect, receive and reconnect for ever. `handle(topic, payload)` is awaited message by message.

        An error of `handle` or `on_connect` ends `run`: what may be wrong with a message is for the handler to catch.
        """
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                async with self._new_client() as client:
                    pause_s = FIRST_PAUSE_S
                    await self._receive(client, handle)
            except aiomqtt.MqttError as error:
                log.info("broker_away", broker=str(self._broker), client=self._client_id, why=str(error))
            finally:
                self._client = None
                self.connected.clear()
                for sending in self._sending:
                    sending.cancel()
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 -- jitter, not a secret
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Returns when the broker confirmed (PUBACK), which is all that it proves. Raises NotConnected."""
        client = self._client
        if client is None:
            raise NotConnected(f"{topic}: no connection to {self._broker}")
        sending = asyncio.create_task(client.publish(topic, payload, qos=1, retain=retain, timeout=WAIT_S))
        self._sending.add(sending)
        try:
            await asyncio.wait({sending})
            if sending.cancelled():
                raise NotConnected(f"{topic}: lost {self._broker} before it confirmed")
            sending.result()
        except (aiomqtt.MqttError, ValueError) as error:
            raise NotConnected(f"{topic}: {self._broker} did not confirm ({error})") from None
        finally:
            sending.cancel()
            self._sending.discard(sending)

    def _new_client(self) -> aiomqtt.Client:
        broker, will = self._broker, self._will
        client = aiomqtt.Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            identifier=self._client_id,
            clean_session=False,
            keepalive=KEEPALIVE_S,
            timeout=WAIT_S,
            tls_context=self._tls,
            will=aiomqtt.Will(will.topic, will.payload, qos=1, retain=True) if will else None,
            max_inflight_messages=IN_FLIGHT,
        )
        client.pending_calls_threshold = PENDING_PUBLISHES
        return client

    async def _receive(self, client: aiomqtt.Client, handle: Handler) -> None:
        await self._subscribe(client)
        self._client = client
        self.connected.set()
        log.info("broker_there", broker=str(self._broker), client=self._client_id)
        tasks = [
            asyncio.create_task(self._greet(), name=f"{self._client_id} on connect"),
            asyncio.create_task(_pump(client, handle), name=f"{self._client_id} receive"),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        """Raises MqttError, on which `run` tries again, when the broker's access list forbids a topic."""
        if not self._subscriptions:
            return
        codes = await client.subscribe([(name, 1) for name in self._subscriptions])
        refused = [name for name, code in zip(self._subscriptions, codes, strict=True) if _failed(code)]
        if refused:
            raise aiomqtt.MqttError(f"the broker refuses subscriptions to {', '.join(refused)}")

    async def _greet(self) -> None:
        if self._on_connect is None:
            return
        try:
            await self._on_connect()
        except NotConnected as error:
            log.info("lost_while_greeting", client=self._client_id, why=str(error))


async def _pump(client: aiomqtt.Client, handle: Handler) -> None:
    async for message in client.messages:
        await handle(message.topic.value, bytes(message.payload))


def _failed(code: object) -> bool:
    """A SUBACK's return code, which paho gives as a number or as a ReasonCode."""
    value = getattr(code, "value", code)
    return not isinstance(value, int) or value >= SUBACK_FAILURE
