"""A rig's wearable as a test uses it: plain calls, one after the other, whatever runs behind the console."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from salus_edge.link import Label, encode_labels
from salus_edge.link.release_sender import Transfer
from salus_edge.proto import console_pb2 as pb
from salus_edge.proto.link_pb2 import ReleaseStatus
from salus_hil.errors import HilError, RigError
from salus_hil.rig.enrolment import Settings, provisioning
from salus_hil.rig.frames import piece_frames
from salus_hil.rig.identity import Identity
from salus_hil.rig.package import release_messages
from salus_hil.rig.powered import Powered
from salus_hil.rig.rigfile import RigWearable
from salus_hil.rig.runners import Runner

RAW_BYTES: Final = 4096

StatusCheck = Callable[[pb.Status], bool]


class Wearable(Powered):
    """One of a rig, after its console's commands."""

    def __init__(self, rig: RigWearable, runner: Runner, log: Path) -> None:
        super().__init__(rig, runner, log)
        self._began_s = time.monotonic()
        self._release_s = 0.0
        self.samples: list[dict[str, float | list[int]]] = []

    def hello(self) -> pb.HelloReply:
        return self._run(self._there.hello())

    def provision(self, message: pb.Provision) -> None:
        self._run(self._there.provision(message))

    def enrol(self, identity: Identity, broker_url: str, settings: Settings | None = None) -> None:
        """Provision all that a wearable needs to be somebody's."""
        self.provision(provisioning(identity, broker_url, settings or Settings()))

    def status(self) -> pb.Status:
        return self._run(self._there.status())

    def statistics(self) -> pb.Statistics:
        """Also kept in `samples`, for the report."""
        said = self._run(self._there.statistics())
        self.samples.append(
            {
                "at_s": round(time.monotonic() - self._began_s, 3),
                "latency": list(said.latency_us_log2),
                "arena_bytes": said.arena_high_water_bytes,
                "heap_low_bytes": said.heap_low_water_bytes,
                "stack_low_bytes": said.stack_low_water_bytes,
                "ring_high_packets": said.ring_high_water_packets,
                "features": said.features,
            }
        )
        return said

    def last_look(self) -> None:
        """One more sample, when it still answers."""
        with contextlib.suppress(HilError):
            self.statistics()

    def set_clock(self, clock_ms: int) -> None:
        self._run(self._there.set_clock(clock_ms))

    def link(self, up: bool) -> None:
        """Drop the network, or restore it."""
        self._run(self._there.control_link(up))

    def golden(self) -> pb.GoldenResult:
        return self._run(self._there.run_golden())

    def infer(self, window: NDArray[np.int8]) -> NDArray[np.int8]:
        """One quantised window to one feature."""
        result = self._run(self._there.run_inference(window.tobytes()))
        return np.frombuffer(result.output, np.int8)

    def say(self, *labels: Label) -> None:
        self._run(self._there.say_labels(encode_labels(labels)))

    def echo(self, data: bytes) -> bytes:
        return self._run(self._there.echo(data))

    def failure(self, frame: pb.Frame) -> str:
        """The code with which it refuses a frame. Raises RigError when it does not."""
        answer = self._run(self._there.exchange(frame))
        if not answer.HasField("failure"):
            raise RigError(f"{self.rig.id}: it answered {answer.WhichOneof('body')} where it has to refuse")
        return answer.failure.code

    def raw(self, data: bytes) -> None:
        """Bytes as they are, so many at a time as the slowest line takes in time."""
        for start in range(0, len(data), RAW_BYTES):
            self._run(self._there.send_raw(data[start : start + RAW_BYTES]))

    def inject(
        self, samples: NDArray[np.float32], start_ms: int, *, first: int = 0, ends: bool = True
    ) -> pb.InjectReply:
        """A piece (n, channels) frame by frame, from its sample `first` on. Raises RigError when nothing is given."""
        reply: pb.InjectReply | None = None
        for message in piece_frames(samples, start_ms, first, ends):
            reply = self._run(self._there.inject(message))
        if reply is None:
            raise RigError(f"{self.rig.id}: no samples to inject")
        return reply

    def inject_patiently(self, samples: NDArray[np.float32], start_ms: int, room: int = 16) -> pb.InjectReply:
        """As `inject`, but waiting for acknowledgements while fewer than `room` packets fit into the ring."""
        reply: pb.InjectReply | None = None
        for message in piece_frames(samples, start_ms, 0, True):
            reply = self._run(self._there.inject(message))
            if reply.ring_packets + room > reply.ring_capacity_packets:
                self.wait(lambda said: said.ring_packets + room <= said.ring_capacity_packets, "room in the ring")
        if reply is None:
            raise RigError(f"{self.rig.id}: no samples to inject")
        return reply

    def offer(self, transfer: Transfer) -> ReleaseStatus:
        """A release by the console, to its end: ACTIVE, or REFUSED with a code."""
        return self._run(self._send_release(transfer))

    def offer_and_cut(self, transfer: Transfer, part: float) -> None:
        """Cut the power after a `part` (0 to 1) of the time that the last whole release took."""
        self._run(self._cut_in(transfer, part * self._release_s))
        self._hang_up()

    def must_take(self, transfer: Transfer) -> None:
        """As `offer`. Raises RigError unless it is ACTIVE then."""
        status = self.offer(transfer)
        if status.progress != ReleaseStatus.ACTIVE:
            raise RigError(f"{self.rig.id}: release {status.version} is not active: {status.code or status}")

    def release(self, message: bytes) -> ReleaseStatus | None:
        """One serialised ReleaseMessage; what it says of it."""
        said = self._run(self._there.release(message))
        return ReleaseStatus.FromString(said) if said else None

    def logs(self) -> list[str]:
        """Its last log lines."""
        return [log.text for log in self._there.logs]

    def wait(self, holds: StatusCheck, what: str, timeout_s: float = 20.0) -> pb.Status:
        """Poll its status until `holds`. Raises RigError naming `what`."""
        return self._run(self._poll(holds, what, timeout_s))

    def wait_refused(self, count: int, code: str = "", timeout_s: float = 20.0) -> None:
        """Until it has refused so many messages, with `code` or any. Raises RigError."""
        deadline = time.monotonic() + timeout_s
        while (counted := sum(each.count for each in self._counted() if code in ("", each.name))) < count:
            if time.monotonic() > deadline:
                raise RigError(f"{self.rig.id}: {counted} refused {code} within {timeout_s:g} s, not {count}")
            time.sleep(0.05)

    def _counted(self) -> Iterable[pb.Counter]:
        return self._run(self._there.statistics()).refused

    async def _send_release(self, transfer: Transfer) -> ReleaseStatus:
        began = self._loop.time()
        messages, status = release_messages(transfer, None), None
        while messages:
            said = await self._there.release(messages[0])
            status = ReleaseStatus.FromString(said) if said else None
            messages = release_messages(transfer, status) if status is not None else []
        if status is None:
            raise RigError(f"{self.rig.id}: it said nothing of the release")
        self._release_s = self._loop.time() - began
        return status

    async def _cut_in(self, transfer: Transfer, delay_s: float) -> None:
        sending = asyncio.create_task(self._send_release(transfer))
        await asyncio.wait([sending], timeout=delay_s)
        await asyncio.to_thread(self._runner.cut)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

    async def _poll(self, holds: StatusCheck, what: str, timeout_s: float) -> pb.Status:
        deadline = self._loop.time() + timeout_s
        while True:
            status = await self._there.status()
            if holds(status):
                return status
            if self._loop.time() > deadline:
                raise RigError(f"{self.rig.id}: no {what} within {timeout_s:g} s; it says {_shown(status)}")
            await asyncio.sleep(0.02)


def _shown(status: pb.Status) -> str:
    return " ".join(str(status).split())
