"""A wearable's console from the host: requests with answers, and what the device says unasked.

Nothing here waits for ever: a request has a timeout and a number of tries, and then says which port was silent.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from salus_edge.proto import console_pb2 as pb
from salus_hil.console.frames import MAX_FRAME_BYTES, Noise, Reader, encode_frame
from salus_hil.console.port import Port
from salus_hil.console.transcript import Transcript
from salus_hil.errors import CommandFailed, PortError, Silent

VERSION: Final = 1
BAUD: Final = 115_200
TIMEOUT_S: Final = 2.0
TRIES: Final = 3
LONGEST_PATIENCE: Final = 5  # times the timeout, while bytes come and no answer does
BITS_PER_BYTE: Final = 10  # on a UART, with start and stop
SLOW_S: Final = 30.0  # for what computes or erases flash
KEPT_LOGS: Final = 1000
_PAUSE_S: Final = 0.05  # between attempts to open a port that is not there yet

Reply = TypeVar("Reply", bound=Message)
Heard = Callable[[pb.Frame], None]

_FIELD_OF: Final = {
    field.message_type.full_name: field.name for field in pb.Frame.DESCRIPTOR.oneofs[0].fields if field.message_type
}


class Console:
    """One wearable's console. Requests go one after the other, however many tasks ask.

    `logs` holds the last log lines. Raises, from every command: CommandFailed (the device refused, with its code),
    Silent (no answer), PortError (the port is gone; `wait_ready` opens it again).
    """

    def __init__(self, url: str, baud: int = BAUD, log: Path | None = None) -> None:
        self.url, self.baud = url, baud
        self.transcript = Transcript(log)
        self.logs: deque[pb.Log] = deque(maxlen=KEPT_LOGS)
        self.noise_bytes = 0
        self._port: Port | None = None
        self._reader = Reader()
        self._turn = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[pb.Frame]] = {}
        self._request_id = secrets.randbelow(1 << 30)  # so that no answer to an earlier host is taken for ours
        self._max_frame_bytes = MAX_FRAME_BYTES  # until the device says what it takes
        self._heard_s = 0.0  # when the last byte came, in the event loop's time
        self._listeners: list[Heard] = []
        self._noise_listeners: list[Callable[[Noise], None]] = []

    async def open(self) -> None:
        """Open the port; what was open is closed first. Raises PortError."""
        self._drop("opened anew")
        self._port = await Port.open(self.url, self.baud, self._heard, self._lost)
        self.transcript.note(f"open {self.url}")

    async def close(self) -> None:
        """Idempotent."""
        self._drop("closed")
        self.transcript.close()

    async def __aenter__(self) -> Console:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    def listen(self, heard: Heard) -> Callable[[], None]:
        """`heard` is called with each frame that the device says unasked; the result ends that."""
        self._listeners.append(heard)
        return lambda: self._listeners.remove(heard)

    def listen_noise(self, heard: Callable[[Noise], None]) -> Callable[[], None]:
        """`heard` is called with what is no frame, such as a boot ROM's text or a panic; the result ends that.

        It is known to be none when the next frame begins.
        """
        self._noise_listeners.append(heard)
        return lambda: self._noise_listeners.remove(heard)

    # -- commands ----------------------------------------------------------------------------------------------------

    async def hello(self, timeout_s: float = TIMEOUT_S, tries: int = TRIES) -> pb.HelloReply:
        reply = await self.ask(pb.Hello(), pb.HelloReply, timeout_s, tries)
        self._max_frame_bytes = min(reply.max_frame_bytes or MAX_FRAME_BYTES, MAX_FRAME_BYTES)
        return reply

    async def wait_ready(self, within_s: float = 10.0) -> pb.HelloReply:
        """Say hello until the device answers, opening the port as often as it goes: after a start or a reset.

        Raises Silent when that takes longer.
        """
        why = "no answer"
        try:
            async with asyncio.timeout(within_s):
                while True:
                    try:
                        if self._port is None:
                            await self.open()
                        return await self.hello(timeout_s=0.25, tries=1)
                    except (PortError, Silent) as error:
                        why = str(error)
                        await asyncio.sleep(_PAUSE_S)
        except TimeoutError:
            raise Silent(f"{self.url}: the device is not there after {within_s:g} s ({why})") from None

    async def provision(self, provision: pb.Provision) -> None:
        await self.do(provision, SLOW_S)

    async def status(self) -> pb.Status:
        return await self.ask(pb.StatusRequest(), pb.Status)

    async def inject(self, samples: pb.InjectSamples) -> pb.InjectReply:
        return await self.ask(samples, pb.InjectReply, SLOW_S)

    async def run_golden(self, personal: bool = False) -> pb.GoldenResult:
        return await self.ask(pb.RunGolden(personal=personal), pb.GoldenResult, SLOW_S)

    async def run_inference(self, values: bytes, personal: bool = False) -> pb.InferenceResult:
        """`values` and the result's `output` are int8."""
        return await self.ask(pb.RunInference(input=values, personal=personal), pb.InferenceResult, SLOW_S)

    async def set_clock(self, clock_ms: int) -> None:
        await self.do(pb.SetClock(clock_ms=clock_ms))

    async def release(self, message: bytes) -> bytes:
        """Hand over a serialised ReleaseMessage; the serialised ReleaseStatus, or nothing."""
        return (await self.ask(pb.ReleaseChunk(message=message), pb.ReleaseReply, SLOW_S)).status

    async def say_labels(self, labels: bytes) -> None:
        """`labels` is a serialised salus.link.v1.Labels."""
        await self.do(pb.SayLabels(labels=labels))

    async def control_link(self, up: bool) -> None:
        await self.do(pb.LinkControl(up=up))

    async def reset(self) -> None:
        """Returns when the device said that it will; then `wait_ready`."""
        await self.do(pb.Reset())

    async def factory_erase(self) -> None:
        await self.do(pb.FactoryErase(), SLOW_S)

    async def statistics(self) -> pb.Statistics:
        return await self.ask(pb.StatisticsRequest(), pb.Statistics)

    async def echo(self, data: bytes) -> bytes:
        return (await self.ask(pb.Echo(data=data), pb.Echo)).data

    # -- requests ----------------------------------------------------------------------------------------------------

    async def do(self, body: Message, timeout_s: float = TIMEOUT_S, tries: int = TRIES) -> None:
        """A request whose answer is Done."""
        await self.ask(body, pb.Done, timeout_s, tries)

    async def ask(self, body: Message, reply: type[Reply], timeout_s: float = TIMEOUT_S, tries: int = TRIES) -> Reply:
        """A request whose answer is a `reply`."""
        answer = await self.request(body, timeout_s, tries)
        name = answer.WhichOneof("body")
        found = getattr(answer, name) if name else None
        if not isinstance(found, reply):
            raise CommandFailed("protocol", f"{self.url} answered {_name(body)} with {name}, not {reply.__name__}")
        return found

    async def request(self, body: Message, timeout_s: float = TIMEOUT_S, tries: int = TRIES) -> pb.Frame:
        """Send a request, the same again after each timeout; the answer, whatever it is but a Failure."""
        answer = await self.exchange(frame_of(body, 0), timeout_s, tries)
        if answer.WhichOneof("body") == "failure":
            raise CommandFailed(answer.failure.code, f"{_name(body)}: {answer.failure.detail}")
        return answer

    async def exchange(self, frame: pb.Frame, timeout_s: float = TIMEOUT_S, tries: int = TRIES) -> pb.Frame:
        """Send a frame, as it is but for its request id; the answer, be it a Failure."""
        async with self._turn:
            self._request_id += 1
            frame.request_id = self._request_id
            waiting = self._waiting[frame.request_id] = asyncio.get_running_loop().create_future()
            try:
                return await self._answer(frame, waiting, timeout_s, tries)
            finally:
                del self._waiting[frame.request_id]
                waiting.cancel()

    async def send(self, body: Message) -> None:
        """Say something that wants no answer."""
        await self._write(frame_of(body, 0))

    async def send_raw(self, data: bytes) -> None:
        """Bytes as they are, for tests of what a console must survive."""
        self.transcript.note(f"raw {len(data)} bytes")
        await self._require().write(data)

    async def _answer(
        self, frame: pb.Frame, waiting: asyncio.Future[pb.Frame], timeout_s: float, tries: int
    ) -> pb.Frame:
        on_line_s = 2 * BITS_PER_BYTE * frame.ByteSize() / self.baud  # there, and as much back
        for _ in range(tries):
            await self._write(frame)
            if await self._answered(waiting, timeout_s + on_line_s):
                return waiting.result()
        raise Silent(f"{self.url}: no answer to {frame.WhichOneof('body')}, {tries} times {timeout_s:g} s")

    async def _answered(self, waiting: asyncio.Future[pb.Frame], patience_s: float) -> bool:
        """Whether the answer came. A device whose bytes come, however slowly, is not silent: it has longer, bounded."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        while True:
            due_s = min(max(began_s, self._heard_s) + patience_s, began_s + LONGEST_PATIENCE * patience_s)
            if (left_s := due_s - loop.time()) <= 0:
                return False
            if (await asyncio.wait({waiting}, timeout=left_s))[0]:
                return True

    async def _write(self, frame: pb.Frame) -> None:
        port = self._require()
        payload = frame.SerializeToString(deterministic=True)
        if len(payload) > self._max_frame_bytes:
            asked = f"{frame.WhichOneof('body')} has {len(payload)} bytes"
            raise CommandFailed("too_large", f"{asked}, and {self.url} takes {self._max_frame_bytes}")
        self.transcript.sent(frame)
        await port.write(encode_frame(payload))

    def _require(self) -> Port:
        if self._port is None:
            raise PortError(f"port {self.url} is not open")
        return self._port

    # -- what comes in -----------------------------------------------------------------------------------------------

    def _heard(self, data: bytes) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        for found in self._reader.feed(data):
            if isinstance(found, Noise):
                self._noise(found)
                continue
            try:
                frame = pb.Frame.FromString(found.data)
            except DecodeError:
                self._noise(Noise(found.data, "malformed"))
                continue
            self.transcript.received(frame)
            self._frame(frame)

    def _frame(self, frame: pb.Frame) -> None:
        if frame.request_id:
            waiting = self._waiting.get(frame.request_id)
            if waiting is not None and not waiting.done():  # else late, or the answer to a repeated request
                waiting.set_result(frame)
            return
        if frame.WhichOneof("body") == "log":
            self.logs.append(frame.log)
        for heard in tuple(self._listeners):
            heard(frame)

    def _noise(self, noise: Noise) -> None:
        self.noise_bytes += len(noise.data)
        self.transcript.noise(noise)
        for heard in tuple(self._noise_listeners):
            heard(noise)

    def _lost(self, why: str) -> None:
        self._drop(f"lost: {why}")

    def _drop(self, why: str) -> None:
        if self._port is None:
            return
        self._port.close()
        self._port = None
        for noise in self._reader.end():
            self._noise(noise)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(PortError(f"port {self.url} is gone ({why})"))
        self.transcript.note(f"port {why}")


def frame_of(body: Message, request_id: int) -> pb.Frame:
    """The frame around a body."""
    frame = pb.Frame(version=VERSION, request_id=request_id)
    getattr(frame, _FIELD_OF[body.DESCRIPTOR.full_name]).CopyFrom(body)
    if frame.WhichOneof("body") is None:  # an empty message: copying nothing does not set the field
        getattr(frame, _FIELD_OF[body.DESCRIPTOR.full_name]).SetInParent()
    return frame


def _name(body: Message) -> str:
    return _FIELD_OF[body.DESCRIPTOR.full_name]
